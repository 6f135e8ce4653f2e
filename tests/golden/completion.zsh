#compdef plimsoll
_plimsoll() {
    local -a commands
    commands=(
        'calibrate:one of\: accuracy fit run show'
        'check:Whether scenario and data files are good, or what is wrong with them'
        'compare:Several scenarios side by side, with the change against one of them'
        'completion:A script that completes commands, options and names in your shell'
        'detect:Describes this machine, or a saved one, as a node to plan with'
        'explain:Where the time of one prefill and one decode step goes, operator by operator'
        'list:What there is\: GPUs, nodes, models, engines and more'
        'plan:How many nodes a load needs, at what cost, and what limits them'
        'show:One entry\: its facts with units, origins and sources'
        'simulate:Runs a deployment request by request\: tails, bursts and schedulers, beside the forecast'
        'validate:Predictions beside a table of measurements, with the errors'
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    if [[ $command == calibrate ]]; then
        commands=(
            'accuracy:How well the kernel forms do on a folder of measured kernels'
            'fit:Constants of kernels from measured times, with the errors on rows left out'
            'run:Measures this machine, so that forecasts for it are measured and not estimated'
            'show:A profile\: constants with errors, measured against fitted, where points are missing'
        )
        if (( CURRENT == 2 )); then
            _describe command commands
            return
        fi
        command+=" $words[2]"
        shift words
        (( CURRENT-- ))
    fi
    case $command in
        'calibrate accuracy') _arguments \
            '--seeds[splits to average over]:N: ' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '1:DIR:_files -/' ;;
        'calibrate fit') _arguments \
            '*--from[a CSV table of measured kernels, or what another tool printed of them]:FILE:_files' \
            '--train[rows to fit of each group\: a share such as 0.3, a count, or designed\:COUNT for sizes that are spread; without it all]:ROWS: ' \
            '--train-per[ranks=COUNT\: so many spread sizes of each rank count]:COLUMN=COUNT: ' \
            '--seed[draws the rows to fit]:N: ' \
            '--learner[whether a bounded correction may be learnt from the residuals]:WORD:(on off)' \
            '--profile[writes the fit as a profile]:FILE:_files' \
            '*--serving[a table of serving runs as validate reads it\: an engine'\''s constants are fitted to it (docs/serving_fit.md)]:FILE:_files' \
            '--assumptions[with --serving\: what the table does not say, as for validate]:NAME: ' \
            '--widen[with --serving\: counts each default'\''s deviation so many times, so that the table says more]:TIMES: ' \
            '--data-out[with --serving\: writes the engine and the nodes with their fitted constants there, for --data]:DIR:_files -/' \
            '--source[whose measurements they are, for the profile]:TEXT: ' \
            '--date[of the measurements, for the profile]:DATE: ' \
            '--importer[form of the files, as plimsoll list importers has them; told by their text if absent]:NAME:($(plimsoll list importers --names 2>/dev/null))' \
            '*--column[what another tool'\''s file does not say of its rows, such as gpu=h20-96gb-sxm]:NAME=VALUE: ' \
            '*--where[takes the rows with COLUMN=VALUE, COLUMN>=VALUE or COLUMN<=VALUE; all given must hold]:CONDITION: ' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' ;;
        'calibrate run') _arguments \
            '--device[what to measure]:NAME:(cpu cuda)' \
            '--quick[the few points that a first fit needs, within two minutes]' \
            '--budget[begin no point after this time, such as 5min; 90s with --quick, else 10min. With it and without --quick the points of --quick come first and then those where the fits know least]:TIME: ' \
            '--shapes[measure products with this model'\''s weights\: a name, or the path of a config.json]:MODEL:($(plimsoll list models --names 2>/dev/null))' \
            '--rounds[how often to go over the points\: what differs between rounds is the run-to-run error]:N: ' \
            '--threads[threads to use; all of the machine if absent]:N: ' \
            '--instructions[instruction set of the kernels; the widest that the processor has if absent]:NAME:(baseline avx2 avx512)' \
            '--seed[of the order of the points]:N: ' \
            '--name[of the device'\''s entry and profile; made of its model if absent]:NAME: ' \
            '--samples-out[where to write the raw samples; samples/NAME of the data directory if absent]:DIR:_files -/' \
            '--output-data[the data directory to write to]:DIR:_files -/' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' ;;
        'calibrate show') _arguments \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '1:PROFILE:($(plimsoll list profiles --names 2>/dev/null))' ;;
        check) _arguments \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '*:FILE:_files' ;;
        compare) _arguments \
            '--baseline[the one to compare with; the first if absent]:SCENARIO:_files' \
            '*--model[models to serve\: names, or paths of config.json files]:NAME:($(plimsoll list models --names 2>/dev/null))' \
            '*--node[node types that may be used, or all]:NAME:($(plimsoll list nodes --names 2>/dev/null))' \
            '*--engine[serving engines]:NAME:($(plimsoll list engines --names 2>/dev/null))' \
            '*--weights[weight dtypes to try]:DTYPE: ' \
            '--kv-cache[dtype of the KV cache]:DTYPE: ' \
            '*--tensor-parallel[tensor-parallel degrees to try]:N: ' \
            '*--pipeline-parallel[pipeline degrees to try]:N: ' \
            '*--expert-parallel[degrees to try of experts on ranks of their own]:N: ' \
            '*--attention-data-parallel[degrees to try of attention groups with requests of their own]:N: ' \
            '*--context-parallel[degrees to try of ranks that divide the context of a sequence]:N: ' \
            '*--hosts-per-instance[nodes that an instance spans, to try]:N: ' \
            '*--instances[instances per node to try]:N: ' \
            '*--max-sequences[limits on running requests to try]:N: ' \
            '--profile[the only profile of measured kernels to use, or none]:NAME:($(plimsoll list profiles --names 2>/dev/null))' \
            '--users[registered users]:N: ' \
            '--active-share[share of them that is active at the same time]:F: ' \
            '--peak-factor[peak load over mean load]:F: ' \
            '--rate[requests that arrive, instead of users, such as 12/s]:RATE: ' \
            '--think-time[between an answer and the user'\''s next request\: 2s in the mean, or fixed\:2s]:TIME: ' \
            '--workload[prompt and output lengths by name]:NAME:($(plimsoll list workloads --names 2>/dev/null))' \
            '--prompt-tokens[such as 900 or lognormal\:mean=900,cv=1]:LENGTH: ' \
            '--output-tokens[the same for the output]:LENGTH: ' \
            '--ttft[promised time to first token, such as 3.15s]:TIME: ' \
            '--tpot[promised time per output token, such as 100ms]:TIME: ' \
            '--e2e[promised time to the last token]:TIME: ' \
            '--statistic[the statistic that the promises are about]:WORD:(mean p50 p90 p95 p99)' \
            '--spares[nodes beyond those needed]:N: ' \
            '--headroom[fraction of the capacity kept free]:F: ' \
            '--confidence[probability with which the nodes are to keep the promises, such as 0.9; the forecast'\''s own nodes if absent]:P: ' \
            '--max-nodes[the most nodes that there may be, spares among them]:N: ' \
            '--max-cost[the most that all of them may cost, such as 40USD/h or '\''30000 USD/month'\'']:PRICE: ' \
            '*--set[set any field of the scenario, such as cost.mode=rent; may be repeated]:PATH=VALUE: ' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '*:SCENARIO:_files' ;;
        completion) _arguments \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '1:SHELL:(bash zsh fish)' ;;
        detect) _arguments \
            '--from[outputs of another machine that --save wrote there, instead of this one'\''s]:DIR:_files -/' \
            '--save[where to keep the outputs\: nvidia-smi.xml, topo.txt, lscpu.txt, meminfo.txt, pcie.txt, nics.txt]:DIR:_files -/' \
            '--name[of the node; made of GPU and count if absent]:NAME: ' \
            '--output-data[the data directory to write to]:DIR:_files -/' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' ;;
        explain) _arguments \
            '--model[model\: a name, or the path of a config.json]:NAME:($(plimsoll list models --names 2>/dev/null))' \
            '--node[node type]:NAME:($(plimsoll list nodes --names 2>/dev/null))' \
            '--engine[serving engine]:NAME:($(plimsoll list engines --names 2>/dev/null))' \
            '--profile[the only profile of measured kernels to use, or none]:NAME:($(plimsoll list profiles --names 2>/dev/null))' \
            '--weights[weight dtype; the model'\''s own if absent]:DTYPE: ' \
            '--tensor-parallel[tensor-parallel degree; 1 if absent]:N: ' \
            '--pipeline-parallel[pipeline degree; 1 if absent]:N: ' \
            '--expert-parallel[tensor ranks that hold different experts; 1 if absent]:N: ' \
            '--attention-data-parallel[groups of tensor ranks whose attention has requests of its own; 1 if absent]:N: ' \
            '--context-parallel[tensor ranks that divide the context of a sequence; 1 if absent]:N: ' \
            '--hosts-per-instance[nodes that an instance spans; 1 if absent]:N: ' \
            '--prompt[tokens of the prefill; the scenario'\''s mean, or 1024]:N: ' \
            '--batch[sequences of the decode step; the plan'\''s mean, or 1]:N: ' \
            '--context[tokens of each; the plan'\''s mean, or 1024]:N: ' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '1:SCENARIO:_files' ;;
        list) _arguments \
            '--names[only the names, one a line]' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '1:KIND:(gpus nodes models engines workloads links classes profiles blocks parallelism commands formats schedulers routers loads importers)' ;;
        plan) _arguments \
            '*--model[models to serve\: names, or paths of config.json files]:NAME:($(plimsoll list models --names 2>/dev/null))' \
            '*--node[node types that may be used, or all]:NAME:($(plimsoll list nodes --names 2>/dev/null))' \
            '*--engine[serving engines]:NAME:($(plimsoll list engines --names 2>/dev/null))' \
            '*--weights[weight dtypes to try]:DTYPE: ' \
            '--kv-cache[dtype of the KV cache]:DTYPE: ' \
            '*--tensor-parallel[tensor-parallel degrees to try]:N: ' \
            '*--pipeline-parallel[pipeline degrees to try]:N: ' \
            '*--expert-parallel[degrees to try of experts on ranks of their own]:N: ' \
            '*--attention-data-parallel[degrees to try of attention groups with requests of their own]:N: ' \
            '*--context-parallel[degrees to try of ranks that divide the context of a sequence]:N: ' \
            '*--hosts-per-instance[nodes that an instance spans, to try]:N: ' \
            '*--instances[instances per node to try]:N: ' \
            '*--max-sequences[limits on running requests to try]:N: ' \
            '--profile[the only profile of measured kernels to use, or none]:NAME:($(plimsoll list profiles --names 2>/dev/null))' \
            '--users[registered users]:N: ' \
            '--active-share[share of them that is active at the same time]:F: ' \
            '--peak-factor[peak load over mean load]:F: ' \
            '--rate[requests that arrive, instead of users, such as 12/s]:RATE: ' \
            '--think-time[between an answer and the user'\''s next request\: 2s in the mean, or fixed\:2s]:TIME: ' \
            '--workload[prompt and output lengths by name]:NAME:($(plimsoll list workloads --names 2>/dev/null))' \
            '--prompt-tokens[such as 900 or lognormal\:mean=900,cv=1]:LENGTH: ' \
            '--output-tokens[the same for the output]:LENGTH: ' \
            '--ttft[promised time to first token, such as 3.15s]:TIME: ' \
            '--tpot[promised time per output token, such as 100ms]:TIME: ' \
            '--e2e[promised time to the last token]:TIME: ' \
            '--statistic[the statistic that the promises are about]:WORD:(mean p50 p90 p95 p99)' \
            '--spares[nodes beyond those needed]:N: ' \
            '--headroom[fraction of the capacity kept free]:F: ' \
            '--confidence[probability with which the nodes are to keep the promises, such as 0.9; the forecast'\''s own nodes if absent]:P: ' \
            '--max-nodes[the most nodes that there may be, spares among them]:N: ' \
            '--max-cost[the most that all of them may cost, such as 40USD/h or '\''30000 USD/month'\'']:PRICE: ' \
            '*--set[set any field of the scenario, such as cost.mode=rent; may be repeated]:PATH=VALUE: ' \
            '--referee[what the simulator judges again\: nothing, the best of each answer, or also the runners-up near it]:LEVEL:(none fast full)' \
            '--seed[of the simulated runs]:N: ' \
            '--threads[runs at the same time; the machine'\''s cores if absent]:N: ' \
            '--verbose[also runners-up, tails, memory and sources]' \
            '--all[also every candidate, with why it fails]' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '1:SCENARIO:_files' ;;
        show) _arguments \
            '--kind[the kind of entry, where a name means several]:KIND:(gpu node model engine workload link efficiency-class profile)' \
            '--entry[the entry itself as a file of our own format, to keep and to edit]' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '1:NAME:($(plimsoll list gpus --names 2>/dev/null; plimsoll list nodes --names 2>/dev/null; plimsoll list models --names 2>/dev/null; plimsoll list engines --names 2>/dev/null; plimsoll list workloads --names 2>/dev/null; plimsoll list links --names 2>/dev/null; plimsoll list classes --names 2>/dev/null; plimsoll list profiles --names 2>/dev/null))' ;;
        simulate) _arguments \
            '*--model[models to serve\: names, or paths of config.json files]:NAME:($(plimsoll list models --names 2>/dev/null))' \
            '*--node[node types that may be used, or all]:NAME:($(plimsoll list nodes --names 2>/dev/null))' \
            '*--engine[serving engines]:NAME:($(plimsoll list engines --names 2>/dev/null))' \
            '*--weights[weight dtypes to try]:DTYPE: ' \
            '--kv-cache[dtype of the KV cache]:DTYPE: ' \
            '*--tensor-parallel[tensor-parallel degrees to try]:N: ' \
            '*--pipeline-parallel[pipeline degrees to try]:N: ' \
            '*--expert-parallel[degrees to try of experts on ranks of their own]:N: ' \
            '*--attention-data-parallel[degrees to try of attention groups with requests of their own]:N: ' \
            '*--context-parallel[degrees to try of ranks that divide the context of a sequence]:N: ' \
            '*--hosts-per-instance[nodes that an instance spans, to try]:N: ' \
            '*--instances[instances per node to try]:N: ' \
            '*--max-sequences[limits on running requests to try]:N: ' \
            '--profile[the only profile of measured kernels to use, or none]:NAME:($(plimsoll list profiles --names 2>/dev/null))' \
            '--users[users of the simulated replicas together; their share of the plan'\''s load if absent]:N: ' \
            '--active-share[share of them that is active at the same time]:F: ' \
            '--peak-factor[peak load over mean load]:F: ' \
            '--rate[requests that arrive at the simulated replicas together, such as 12/s]:RATE: ' \
            '--think-time[between an answer and the user'\''s next request\: 2s in the mean, or fixed\:2s]:TIME: ' \
            '--workload[prompt and output lengths by name, or a recorded workload with its arrivals\: FILE.csv, FILE.jsonl]:NAME:($(plimsoll list workloads --names 2>/dev/null))' \
            '--prompt-tokens[such as 900 or lognormal\:mean=900,cv=1]:LENGTH: ' \
            '--output-tokens[the same for the output]:LENGTH: ' \
            '--ttft[promised time to first token, such as 3.15s]:TIME: ' \
            '--tpot[promised time per output token, such as 100ms]:TIME: ' \
            '--e2e[promised time to the last token]:TIME: ' \
            '--statistic[the statistic that the promises are about]:WORD:(mean p50 p90 p95 p99)' \
            '--spares[nodes beyond those needed]:N: ' \
            '--headroom[fraction of the capacity kept free]:F: ' \
            '--confidence[probability with which the nodes are to keep the promises, such as 0.9; the forecast'\''s own nodes if absent]:P: ' \
            '--max-nodes[the most nodes that there may be, spares among them]:N: ' \
            '--max-cost[the most that all of them may cost, such as 40USD/h or '\''30000 USD/month'\'']:PRICE: ' \
            '*--set[set any field of the scenario, such as cost.mode=rent; may be repeated]:PATH=VALUE: ' \
            '--cost-tables[time steps by the tables linear.csv, attn_decode.csv and attn_prefill.csv of a folder, without a scenario]:DIR:_files -/' \
            '--layers[layers of the model that the tables are of]:N: ' \
            '--scheduler[rule of the engine, instead of its own]:NAME:(lightllm llama-cpp orca sarathi sglang static-batching tensorrt-llm tensorrt-llm-max-utilization tgi tgi-chunked vllm-v0 vllm-v1 vllm-v1-async)' \
            '--max-step-tokens[tokens of a step, or of a prefill that runs alone]:N: ' \
            '--kv-blocks[KV blocks of a replica]:N: ' \
            '--kv-block-tokens[tokens of a KV block]:N: ' \
            '--watermark[share of the KV blocks that admission keeps free]:F: ' \
            '--padded-prefill[vllm-v0\: count requests x longest prompt against the tokens of a prefill, as early versions did]' \
            '--preemption[vllm-v0\: what becomes of requests that must make room]:WORD:(recompute swap)' \
            '--replicas[instances behind a router]:N: ' \
            '--router[how requests are given to replicas]:NAME:(least-kv least-outstanding power-of-two prefix-affinity random round-robin session-affinity)' \
            '--prefill-replicas[with --decode-replicas\: the same as --replicas]:N: ' \
            '--decode-replicas[further instances that decode for the others]:N: ' \
            '--kv-link[link that the KV goes over to them]:NAME:($(plimsoll list links --names 2>/dev/null))' \
            '--mean-time-to-failure[of a replica, exponential, such as 7d]:TIME: ' \
            '--mean-time-to-repair[of a failed one, exponential]:TIME: ' \
            '--start-up[of a repaired one, before it takes requests]:TIME: ' \
            '--patience[after which a client without a first token goes away]:TIME: ' \
            '--retries[further attempts of clients that were refused or went away]:N: ' \
            '--arrivals[law of the times between requests of a rate]:NAME:(poisson constant gamma weibull)' \
            '--cv[gamma, weibull\: standard deviation of these times over their mean]:F: ' \
            '--diurnal[a rate that changes over the day, F times the mean at its peak]:F: ' \
            '--spikes[a rate that rises at the end of each period, such as period=1h,length=1min,factor=5]:KEY=VALUE,...: ' \
            '--sessions[conversations of so many turns, such as 5 or geometric\:mean=5\: each turn sends all before it]:TURNS: ' \
            '--protocol[what users do\: go on for ever, drain a shared queue, or send one request each]:NAME:(steady shared-queue one-each)' \
            '--highest-load[search the most users, or the highest rate, that keep the promises, and simulate that load]' \
            '--requests[a run ends when so many requests are answered or refused; 100000 if neither this nor --duration is given, all of a file]:N: ' \
            '--duration[simulated time after which a run ends, such as 1h]:TIME: ' \
            '--warm-up[requests that are not counted at the start, '\''none'\'', or '\''auto'\''\: found in the run'\''s own course (auto if absent; none for a file or a finite queue)]:N: ' \
            '--seed[of all that is drawn]:N: ' \
            '--replications[independent runs]:N: ' \
            '--threads[runs at the same time; the machine'\''s cores if absent]:N: ' \
            '--requests-out[write a CSV row for each request (of the first replication)]:FILE:_files' \
            '--trace-out[write the first replication as Chrome trace events, for Perfetto]:FILE:_files' \
            '--series-out[write the course of the first replication in at most 512 intervals as CSV]:FILE:_files' \
            '--timing[add wall time and requests per second]' \
            '--verbose[also the intervals of the percentiles and the limits of the engine]' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '1:SCENARIO:_files' ;;
        validate) _arguments \
            '--assumptions[what the table does not say\: an entry of scenarios/library/assumptions or a file]:NAME: ' \
            '--engine[serving engine]:NAME:($(plimsoll list engines --names 2>/dev/null))' \
            '--node[node type of every row]:NAME:($(plimsoll list nodes --names 2>/dev/null))' \
            '--weights[weight dtype]:DTYPE: ' \
            '--profile[the only profile of measured kernels to use, or none]:NAME:($(plimsoll list profiles --names 2>/dev/null))' \
            '--think-time[such as uniform\:min=1s,max=3s]:TIME: ' \
            '--protocol[whether a run drains a shared queue or is steady; both\: side by side, for rows with printed lengths]:WORD:(drain steady-state both)' \
            '--requests[requests of the shared queue]:N: ' \
            '--ramp[over which the users of a run start]:TIME: ' \
            '--importer[form of the files, as plimsoll list importers has them; told by their text if absent]:NAME:($(plimsoll list importers --names 2>/dev/null))' \
            '*--column[what another tool'\''s file does not say of its rows, such as gpu=h20-96gb-sxm]:NAME=VALUE: ' \
            '*--where[takes the rows with COLUMN=VALUE, COLUMN>=VALUE or COLUMN<=VALUE; all given must hold]:CONDITION: ' \
            '*--data[lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated]:DIR:_files -/' \
            '--format[how to write the answer]:FORMAT:(csv json markdown table)' \
            '--output[write the answer to a file; - is the standard output]:FILE:_files' \
            '--width[columns of the text; those of the terminal if absent]:COLUMNS: ' \
            '--help[the help of this command]' \
            '*:FILE:_files' ;;
    esac
}
_plimsoll "$@"
