_plimsoll() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} group= command= each
    for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $group$each in
            'calibrate accuracy'|'calibrate fit'|'calibrate run'|'calibrate show'|check|compare|completion|detect|explain|list|plan|show|simulate|validate) command=$group$each; break ;;
            calibrate) group='calibrate ' ;;
        esac
    done
    case $command:$previous in
        *:--data) COMPREPLY=($(compgen -d -- "$word")); return ;;
        *:--format) COMPREPLY=($(compgen -W 'csv json markdown table' -- "$word")); return ;;
        *:--output) COMPREPLY=($(compgen -f -- "$word")); return ;;
        *:--width) COMPREPLY=(); return ;;
        'calibrate accuracy':--seeds) COMPREPLY=(); return ;;
        'calibrate fit':--from) COMPREPLY=($(compgen -f -- "$word")); return ;;
        'calibrate fit':--train) COMPREPLY=(); return ;;
        'calibrate fit':--train-per) COMPREPLY=(); return ;;
        'calibrate fit':--seed) COMPREPLY=(); return ;;
        'calibrate fit':--learner) COMPREPLY=($(compgen -W 'on off' -- "$word")); return ;;
        'calibrate fit':--profile) COMPREPLY=($(compgen -f -- "$word")); return ;;
        'calibrate fit':--serving) COMPREPLY=($(compgen -f -- "$word")); return ;;
        'calibrate fit':--assumptions) COMPREPLY=(); return ;;
        'calibrate fit':--widen) COMPREPLY=(); return ;;
        'calibrate fit':--data-out) COMPREPLY=($(compgen -d -- "$word")); return ;;
        'calibrate fit':--source) COMPREPLY=(); return ;;
        'calibrate fit':--date) COMPREPLY=(); return ;;
        'calibrate fit':--importer) COMPREPLY=($(compgen -W "$(plimsoll list importers --names 2>/dev/null)" -- "$word")); return ;;
        'calibrate fit':--column) COMPREPLY=(); return ;;
        'calibrate fit':--where) COMPREPLY=(); return ;;
        'calibrate run':--device) COMPREPLY=($(compgen -W 'cpu cuda' -- "$word")); return ;;
        'calibrate run':--budget) COMPREPLY=(); return ;;
        'calibrate run':--shapes) COMPREPLY=($(compgen -W "$(plimsoll list models --names 2>/dev/null)" -- "$word")); return ;;
        'calibrate run':--rounds) COMPREPLY=(); return ;;
        'calibrate run':--threads) COMPREPLY=(); return ;;
        'calibrate run':--instructions) COMPREPLY=($(compgen -W 'baseline avx2 avx512' -- "$word")); return ;;
        'calibrate run':--seed) COMPREPLY=(); return ;;
        'calibrate run':--name) COMPREPLY=(); return ;;
        'calibrate run':--samples-out) COMPREPLY=($(compgen -d -- "$word")); return ;;
        'calibrate run':--output-data) COMPREPLY=($(compgen -d -- "$word")); return ;;
        compare:--baseline) COMPREPLY=($(compgen -f -- "$word")); return ;;
        compare:--model) COMPREPLY=($(compgen -W "$(plimsoll list models --names 2>/dev/null)" -- "$word")); return ;;
        compare:--node) COMPREPLY=($(compgen -W "$(plimsoll list nodes --names 2>/dev/null)" -- "$word")); return ;;
        compare:--engine) COMPREPLY=($(compgen -W "$(plimsoll list engines --names 2>/dev/null)" -- "$word")); return ;;
        compare:--weights) COMPREPLY=(); return ;;
        compare:--kv-cache) COMPREPLY=(); return ;;
        compare:--tensor-parallel) COMPREPLY=(); return ;;
        compare:--pipeline-parallel) COMPREPLY=(); return ;;
        compare:--expert-parallel) COMPREPLY=(); return ;;
        compare:--attention-data-parallel) COMPREPLY=(); return ;;
        compare:--context-parallel) COMPREPLY=(); return ;;
        compare:--hosts-per-instance) COMPREPLY=(); return ;;
        compare:--instances) COMPREPLY=(); return ;;
        compare:--max-sequences) COMPREPLY=(); return ;;
        compare:--profile) COMPREPLY=($(compgen -W "$(plimsoll list profiles --names 2>/dev/null)" -- "$word")); return ;;
        compare:--users) COMPREPLY=(); return ;;
        compare:--active-share) COMPREPLY=(); return ;;
        compare:--peak-factor) COMPREPLY=(); return ;;
        compare:--rate) COMPREPLY=(); return ;;
        compare:--think-time) COMPREPLY=(); return ;;
        compare:--workload) COMPREPLY=($(compgen -W "$(plimsoll list workloads --names 2>/dev/null)" -- "$word")); return ;;
        compare:--prompt-tokens) COMPREPLY=(); return ;;
        compare:--output-tokens) COMPREPLY=(); return ;;
        compare:--ttft) COMPREPLY=(); return ;;
        compare:--tpot) COMPREPLY=(); return ;;
        compare:--e2e) COMPREPLY=(); return ;;
        compare:--statistic) COMPREPLY=($(compgen -W 'mean p50 p90 p95 p99' -- "$word")); return ;;
        compare:--spares) COMPREPLY=(); return ;;
        compare:--headroom) COMPREPLY=(); return ;;
        compare:--confidence) COMPREPLY=(); return ;;
        compare:--max-nodes) COMPREPLY=(); return ;;
        compare:--max-cost) COMPREPLY=(); return ;;
        compare:--set) COMPREPLY=(); return ;;
        detect:--from) COMPREPLY=($(compgen -d -- "$word")); return ;;
        detect:--save) COMPREPLY=($(compgen -d -- "$word")); return ;;
        detect:--name) COMPREPLY=(); return ;;
        detect:--output-data) COMPREPLY=($(compgen -d -- "$word")); return ;;
        explain:--model) COMPREPLY=($(compgen -W "$(plimsoll list models --names 2>/dev/null)" -- "$word")); return ;;
        explain:--node) COMPREPLY=($(compgen -W "$(plimsoll list nodes --names 2>/dev/null)" -- "$word")); return ;;
        explain:--engine) COMPREPLY=($(compgen -W "$(plimsoll list engines --names 2>/dev/null)" -- "$word")); return ;;
        explain:--profile) COMPREPLY=($(compgen -W "$(plimsoll list profiles --names 2>/dev/null)" -- "$word")); return ;;
        explain:--weights) COMPREPLY=(); return ;;
        explain:--tensor-parallel) COMPREPLY=(); return ;;
        explain:--pipeline-parallel) COMPREPLY=(); return ;;
        explain:--expert-parallel) COMPREPLY=(); return ;;
        explain:--attention-data-parallel) COMPREPLY=(); return ;;
        explain:--context-parallel) COMPREPLY=(); return ;;
        explain:--hosts-per-instance) COMPREPLY=(); return ;;
        explain:--prompt) COMPREPLY=(); return ;;
        explain:--batch) COMPREPLY=(); return ;;
        explain:--context) COMPREPLY=(); return ;;
        plan:--model) COMPREPLY=($(compgen -W "$(plimsoll list models --names 2>/dev/null)" -- "$word")); return ;;
        plan:--node) COMPREPLY=($(compgen -W "$(plimsoll list nodes --names 2>/dev/null)" -- "$word")); return ;;
        plan:--engine) COMPREPLY=($(compgen -W "$(plimsoll list engines --names 2>/dev/null)" -- "$word")); return ;;
        plan:--weights) COMPREPLY=(); return ;;
        plan:--kv-cache) COMPREPLY=(); return ;;
        plan:--tensor-parallel) COMPREPLY=(); return ;;
        plan:--pipeline-parallel) COMPREPLY=(); return ;;
        plan:--expert-parallel) COMPREPLY=(); return ;;
        plan:--attention-data-parallel) COMPREPLY=(); return ;;
        plan:--context-parallel) COMPREPLY=(); return ;;
        plan:--hosts-per-instance) COMPREPLY=(); return ;;
        plan:--instances) COMPREPLY=(); return ;;
        plan:--max-sequences) COMPREPLY=(); return ;;
        plan:--profile) COMPREPLY=($(compgen -W "$(plimsoll list profiles --names 2>/dev/null)" -- "$word")); return ;;
        plan:--users) COMPREPLY=(); return ;;
        plan:--active-share) COMPREPLY=(); return ;;
        plan:--peak-factor) COMPREPLY=(); return ;;
        plan:--rate) COMPREPLY=(); return ;;
        plan:--think-time) COMPREPLY=(); return ;;
        plan:--workload) COMPREPLY=($(compgen -W "$(plimsoll list workloads --names 2>/dev/null)" -- "$word")); return ;;
        plan:--prompt-tokens) COMPREPLY=(); return ;;
        plan:--output-tokens) COMPREPLY=(); return ;;
        plan:--ttft) COMPREPLY=(); return ;;
        plan:--tpot) COMPREPLY=(); return ;;
        plan:--e2e) COMPREPLY=(); return ;;
        plan:--statistic) COMPREPLY=($(compgen -W 'mean p50 p90 p95 p99' -- "$word")); return ;;
        plan:--spares) COMPREPLY=(); return ;;
        plan:--headroom) COMPREPLY=(); return ;;
        plan:--confidence) COMPREPLY=(); return ;;
        plan:--max-nodes) COMPREPLY=(); return ;;
        plan:--max-cost) COMPREPLY=(); return ;;
        plan:--set) COMPREPLY=(); return ;;
        plan:--referee) COMPREPLY=($(compgen -W 'none fast full' -- "$word")); return ;;
        plan:--seed) COMPREPLY=(); return ;;
        plan:--threads) COMPREPLY=(); return ;;
        show:--kind) COMPREPLY=($(compgen -W 'gpu node model engine workload link efficiency-class profile' -- "$word")); return ;;
        simulate:--model) COMPREPLY=($(compgen -W "$(plimsoll list models --names 2>/dev/null)" -- "$word")); return ;;
        simulate:--node) COMPREPLY=($(compgen -W "$(plimsoll list nodes --names 2>/dev/null)" -- "$word")); return ;;
        simulate:--engine) COMPREPLY=($(compgen -W "$(plimsoll list engines --names 2>/dev/null)" -- "$word")); return ;;
        simulate:--weights) COMPREPLY=(); return ;;
        simulate:--kv-cache) COMPREPLY=(); return ;;
        simulate:--tensor-parallel) COMPREPLY=(); return ;;
        simulate:--pipeline-parallel) COMPREPLY=(); return ;;
        simulate:--expert-parallel) COMPREPLY=(); return ;;
        simulate:--attention-data-parallel) COMPREPLY=(); return ;;
        simulate:--context-parallel) COMPREPLY=(); return ;;
        simulate:--hosts-per-instance) COMPREPLY=(); return ;;
        simulate:--instances) COMPREPLY=(); return ;;
        simulate:--max-sequences) COMPREPLY=(); return ;;
        simulate:--profile) COMPREPLY=($(compgen -W "$(plimsoll list profiles --names 2>/dev/null)" -- "$word")); return ;;
        simulate:--users) COMPREPLY=(); return ;;
        simulate:--active-share) COMPREPLY=(); return ;;
        simulate:--peak-factor) COMPREPLY=(); return ;;
        simulate:--rate) COMPREPLY=(); return ;;
        simulate:--think-time) COMPREPLY=(); return ;;
        simulate:--workload) COMPREPLY=($(compgen -W "$(plimsoll list workloads --names 2>/dev/null)" -- "$word")); return ;;
        simulate:--prompt-tokens) COMPREPLY=(); return ;;
        simulate:--output-tokens) COMPREPLY=(); return ;;
        simulate:--ttft) COMPREPLY=(); return ;;
        simulate:--tpot) COMPREPLY=(); return ;;
        simulate:--e2e) COMPREPLY=(); return ;;
        simulate:--statistic) COMPREPLY=($(compgen -W 'mean p50 p90 p95 p99' -- "$word")); return ;;
        simulate:--spares) COMPREPLY=(); return ;;
        simulate:--headroom) COMPREPLY=(); return ;;
        simulate:--confidence) COMPREPLY=(); return ;;
        simulate:--max-nodes) COMPREPLY=(); return ;;
        simulate:--max-cost) COMPREPLY=(); return ;;
        simulate:--set) COMPREPLY=(); return ;;
        simulate:--cost-tables) COMPREPLY=($(compgen -d -- "$word")); return ;;
        simulate:--layers) COMPREPLY=(); return ;;
        simulate:--scheduler) COMPREPLY=($(compgen -W 'lightllm llama-cpp orca sarathi sglang static-batching tensorrt-llm tensorrt-llm-max-utilization tgi tgi-chunked vllm-v0 vllm-v1 vllm-v1-async' -- "$word")); return ;;
        simulate:--max-step-tokens) COMPREPLY=(); return ;;
        simulate:--kv-blocks) COMPREPLY=(); return ;;
        simulate:--kv-block-tokens) COMPREPLY=(); return ;;
        simulate:--watermark) COMPREPLY=(); return ;;
        simulate:--preemption) COMPREPLY=($(compgen -W 'recompute swap' -- "$word")); return ;;
        simulate:--replicas) COMPREPLY=(); return ;;
        simulate:--router) COMPREPLY=($(compgen -W 'least-kv least-outstanding power-of-two prefix-affinity random round-robin session-affinity' -- "$word")); return ;;
        simulate:--prefill-replicas) COMPREPLY=(); return ;;
        simulate:--decode-replicas) COMPREPLY=(); return ;;
        simulate:--kv-link) COMPREPLY=($(compgen -W "$(plimsoll list links --names 2>/dev/null)" -- "$word")); return ;;
        simulate:--mean-time-to-failure) COMPREPLY=(); return ;;
        simulate:--mean-time-to-repair) COMPREPLY=(); return ;;
        simulate:--start-up) COMPREPLY=(); return ;;
        simulate:--patience) COMPREPLY=(); return ;;
        simulate:--retries) COMPREPLY=(); return ;;
        simulate:--arrivals) COMPREPLY=($(compgen -W 'poisson constant gamma weibull' -- "$word")); return ;;
        simulate:--cv) COMPREPLY=(); return ;;
        simulate:--diurnal) COMPREPLY=(); return ;;
        simulate:--spikes) COMPREPLY=(); return ;;
        simulate:--sessions) COMPREPLY=(); return ;;
        simulate:--protocol) COMPREPLY=($(compgen -W 'steady shared-queue one-each' -- "$word")); return ;;
        simulate:--requests) COMPREPLY=(); return ;;
        simulate:--duration) COMPREPLY=(); return ;;
        simulate:--warm-up) COMPREPLY=(); return ;;
        simulate:--seed) COMPREPLY=(); return ;;
        simulate:--replications) COMPREPLY=(); return ;;
        simulate:--threads) COMPREPLY=(); return ;;
        simulate:--requests-out) COMPREPLY=($(compgen -f -- "$word")); return ;;
        simulate:--trace-out) COMPREPLY=($(compgen -f -- "$word")); return ;;
        simulate:--series-out) COMPREPLY=($(compgen -f -- "$word")); return ;;
        validate:--assumptions) COMPREPLY=(); return ;;
        validate:--engine) COMPREPLY=($(compgen -W "$(plimsoll list engines --names 2>/dev/null)" -- "$word")); return ;;
        validate:--node) COMPREPLY=($(compgen -W "$(plimsoll list nodes --names 2>/dev/null)" -- "$word")); return ;;
        validate:--weights) COMPREPLY=(); return ;;
        validate:--profile) COMPREPLY=($(compgen -W "$(plimsoll list profiles --names 2>/dev/null)" -- "$word")); return ;;
        validate:--think-time) COMPREPLY=(); return ;;
        validate:--protocol) COMPREPLY=($(compgen -W 'drain steady-state both' -- "$word")); return ;;
        validate:--requests) COMPREPLY=(); return ;;
        validate:--ramp) COMPREPLY=(); return ;;
        validate:--importer) COMPREPLY=($(compgen -W "$(plimsoll list importers --names 2>/dev/null)" -- "$word")); return ;;
        validate:--column) COMPREPLY=(); return ;;
        validate:--where) COMPREPLY=(); return ;;
    esac
    case $command in
        'calibrate accuracy')
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--seeds --data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -d -- "$word"))
            fi ;;
        'calibrate fit')
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--from --train --train-per --seed --learner --profile --serving --assumptions --widen --data-out --source --date --importer --column --where --data --format --output --width --help' -- "$word"))
            fi ;;
        'calibrate run')
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--device --quick --budget --shapes --rounds --threads --instructions --seed --name --samples-out --output-data --data --format --output --width --help' -- "$word"))
            fi ;;
        'calibrate show')
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -W "$(plimsoll list profiles --names 2>/dev/null)" -- "$word"))
            fi ;;
        check)
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -f -- "$word"))
            fi ;;
        compare)
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--baseline --model --node --engine --weights --kv-cache --tensor-parallel --pipeline-parallel --expert-parallel --attention-data-parallel --context-parallel --hosts-per-instance --instances --max-sequences --profile --users --active-share --peak-factor --rate --think-time --workload --prompt-tokens --output-tokens --ttft --tpot --e2e --statistic --spares --headroom --confidence --max-nodes --max-cost --set --data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -f -- "$word"))
            fi ;;
        completion)
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -W 'bash zsh fish' -- "$word"))
            fi ;;
        detect)
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--from --save --name --output-data --data --format --output --width --help' -- "$word"))
            fi ;;
        explain)
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--model --node --engine --profile --weights --tensor-parallel --pipeline-parallel --expert-parallel --attention-data-parallel --context-parallel --hosts-per-instance --prompt --batch --context --data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -f -- "$word"))
            fi ;;
        list)
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--names --data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -W 'gpus nodes models engines workloads links classes profiles blocks parallelism commands formats schedulers routers loads importers' -- "$word"))
            fi ;;
        plan)
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--model --node --engine --weights --kv-cache --tensor-parallel --pipeline-parallel --expert-parallel --attention-data-parallel --context-parallel --hosts-per-instance --instances --max-sequences --profile --users --active-share --peak-factor --rate --think-time --workload --prompt-tokens --output-tokens --ttft --tpot --e2e --statistic --spares --headroom --confidence --max-nodes --max-cost --set --referee --seed --threads --verbose --all --data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -f -- "$word"))
            fi ;;
        show)
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--kind --entry --data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -W "$(plimsoll list gpus --names 2>/dev/null; plimsoll list nodes --names 2>/dev/null; plimsoll list models --names 2>/dev/null; plimsoll list engines --names 2>/dev/null; plimsoll list workloads --names 2>/dev/null; plimsoll list links --names 2>/dev/null; plimsoll list classes --names 2>/dev/null; plimsoll list profiles --names 2>/dev/null)" -- "$word"))
            fi ;;
        simulate)
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--model --node --engine --weights --kv-cache --tensor-parallel --pipeline-parallel --expert-parallel --attention-data-parallel --context-parallel --hosts-per-instance --instances --max-sequences --profile --users --active-share --peak-factor --rate --think-time --workload --prompt-tokens --output-tokens --ttft --tpot --e2e --statistic --spares --headroom --confidence --max-nodes --max-cost --set --cost-tables --layers --scheduler --max-step-tokens --kv-blocks --kv-block-tokens --watermark --padded-prefill --preemption --replicas --router --prefill-replicas --decode-replicas --kv-link --mean-time-to-failure --mean-time-to-repair --start-up --patience --retries --arrivals --cv --diurnal --spikes --sessions --protocol --highest-load --requests --duration --warm-up --seed --replications --threads --requests-out --trace-out --series-out --timing --verbose --data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -f -- "$word"))
            fi ;;
        validate)
            if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '--assumptions --engine --node --weights --profile --think-time --protocol --requests --ramp --importer --column --where --data --format --output --width --help' -- "$word"))
            else COMPREPLY=($(compgen -f -- "$word"))
            fi ;;
        *) case $group in
            'calibrate ') COMPREPLY=($(compgen -W 'accuracy fit run show' -- "$word")) ;;
            *) COMPREPLY=($(compgen -W 'calibrate check compare completion detect explain list plan show simulate validate --help --version' -- "$word")) ;;
        esac ;;
    esac
}
complete -o filenames -F _plimsoll plimsoll
