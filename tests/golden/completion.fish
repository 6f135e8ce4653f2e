complete -c plimsoll -f
complete -c plimsoll -n __fish_use_subcommand -a calibrate -d 'one of: accuracy fit run show'
complete -c plimsoll -n __fish_use_subcommand -a check -d 'Whether scenario and data files are good, or what is wrong with them'
complete -c plimsoll -n __fish_use_subcommand -a compare -d 'Several scenarios side by side, with the change against one of them'
complete -c plimsoll -n __fish_use_subcommand -a completion -d 'A script that completes commands, options and names in your shell'
complete -c plimsoll -n __fish_use_subcommand -a detect -d 'Describes this machine, or a saved one, as a node to plan with'
complete -c plimsoll -n __fish_use_subcommand -a explain -d 'Where the time of one prefill and one decode step goes, operator by operator'
complete -c plimsoll -n __fish_use_subcommand -a list -d 'What there is: GPUs, nodes, models, engines and more'
complete -c plimsoll -n __fish_use_subcommand -a plan -d 'How many nodes a load needs, at what cost, and what limits them'
complete -c plimsoll -n __fish_use_subcommand -a show -d 'One entry: its facts with units, origins and sources'
complete -c plimsoll -n __fish_use_subcommand -a simulate -d 'Runs a deployment request by request: tails, bursts and schedulers, beside the forecast'
complete -c plimsoll -n __fish_use_subcommand -a validate -d 'Predictions beside a table of measurements, with the errors'
complete -c plimsoll -n __fish_use_subcommand -l version -d 'the version'
complete -c plimsoll -n __fish_use_subcommand -l help -d 'the commands'
complete -c plimsoll -n '__fish_seen_subcommand_from calibrate; and not __fish_seen_subcommand_from accuracy fit run show' -a accuracy -d 'How well the kernel forms do on a folder of measured kernels'
complete -c plimsoll -n '__fish_seen_subcommand_from accuracy; and __fish_seen_subcommand_from calibrate' -l seeds -d 'splits to average over' -x
complete -c plimsoll -n '__fish_seen_subcommand_from accuracy; and __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from accuracy; and __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from accuracy; and __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from accuracy; and __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from accuracy; and __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from accuracy; and __fish_seen_subcommand_from calibrate' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from calibrate; and not __fish_seen_subcommand_from accuracy fit run show' -a fit -d 'Constants of kernels from measured times, with the errors on rows left out'
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l from -d 'a CSV table of measured kernels, or what another tool printed of them' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l train -d 'rows to fit of each group: a share such as 0.3, a count, or designed:COUNT for sizes that are spread; without it all' -x
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l train-per -d 'ranks=COUNT: so many spread sizes of each rank count' -x
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l seed -d 'draws the rows to fit' -x
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l learner -d 'whether a bounded correction may be learnt from the residuals' -x -a 'on off'
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l profile -d 'writes the fit as a profile' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l serving -d 'a table of serving runs as validate reads it: an engine\'s constants are fitted to it (docs/serving_fit.md)' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l assumptions -d 'with --serving: what the table does not say, as for validate' -x
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l widen -d 'with --serving: counts each default\'s deviation so many times, so that the table says more' -x
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l data-out -d 'with --serving: writes the engine and the nodes with their fitted constants there, for --data' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l source -d 'whose measurements they are, for the profile' -x
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l date -d 'of the measurements, for the profile' -x
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l importer -d 'form of the files, as plimsoll list importers has them; told by their text if absent' -x -a '(plimsoll list importers --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l column -d 'what another tool\'s file does not say of its rows, such as gpu=h20-96gb-sxm' -x
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l where -d 'takes the rows with COLUMN=VALUE, COLUMN>=VALUE or COLUMN<=VALUE; all given must hold' -x
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from fit; and __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from calibrate; and not __fish_seen_subcommand_from accuracy fit run show' -a run -d 'Measures this machine, so that forecasts for it are measured and not estimated'
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l device -d 'what to measure' -x -a 'cpu cuda'
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l quick -d 'the few points that a first fit needs, within two minutes'
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l budget -d 'begin no point after this time, such as 5min; 90s with --quick, else 10min. With it and without --quick the points of --quick come first and then those where the fits know least' -x
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l shapes -d 'measure products with this model\'s weights: a name, or the path of a config.json' -x -a '(plimsoll list models --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l rounds -d 'how often to go over the points: what differs between rounds is the run-to-run error' -x
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l threads -d 'threads to use; all of the machine if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l instructions -d 'instruction set of the kernels; the widest that the processor has if absent' -x -a 'baseline avx2 avx512'
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l seed -d 'of the order of the points' -x
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l name -d 'of the device\'s entry and profile; made of its model if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l samples-out -d 'where to write the raw samples; samples/NAME of the data directory if absent' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l output-data -d 'the data directory to write to' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from run; and __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from calibrate; and not __fish_seen_subcommand_from accuracy fit run show' -a show -d 'A profile: constants with errors, measured against fitted, where points are missing'
complete -c plimsoll -n '__fish_seen_subcommand_from show; and __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from show; and __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from show; and __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from show; and __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from show; and __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from show; and __fish_seen_subcommand_from calibrate' -x -a '(plimsoll list profiles --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from check; and not __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from check; and not __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from check; and not __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from check; and not __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from check; and not __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from check; and not __fish_seen_subcommand_from calibrate' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l baseline -d 'the one to compare with; the first if absent' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l model -d 'models to serve: names, or paths of config.json files' -x -a '(plimsoll list models --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l node -d 'node types that may be used, or all' -x -a '(plimsoll list nodes --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l engine -d 'serving engines' -x -a '(plimsoll list engines --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l weights -d 'weight dtypes to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l kv-cache -d 'dtype of the KV cache' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l tensor-parallel -d 'tensor-parallel degrees to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l pipeline-parallel -d 'pipeline degrees to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l expert-parallel -d 'degrees to try of experts on ranks of their own' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l attention-data-parallel -d 'degrees to try of attention groups with requests of their own' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l context-parallel -d 'degrees to try of ranks that divide the context of a sequence' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l hosts-per-instance -d 'nodes that an instance spans, to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l instances -d 'instances per node to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l max-sequences -d 'limits on running requests to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l profile -d 'the only profile of measured kernels to use, or none' -x -a '(plimsoll list profiles --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l users -d 'registered users' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l active-share -d 'share of them that is active at the same time' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l peak-factor -d 'peak load over mean load' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l rate -d 'requests that arrive, instead of users, such as 12/s' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l think-time -d 'between an answer and the user\'s next request: 2s in the mean, or fixed:2s' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l workload -d 'prompt and output lengths by name' -x -a '(plimsoll list workloads --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l prompt-tokens -d 'such as 900 or lognormal:mean=900,cv=1' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l output-tokens -d 'the same for the output' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l ttft -d 'promised time to first token, such as 3.15s' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l tpot -d 'promised time per output token, such as 100ms' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l e2e -d 'promised time to the last token' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l statistic -d 'the statistic that the promises are about' -x -a 'mean p50 p90 p95 p99'
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l spares -d 'nodes beyond those needed' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l headroom -d 'fraction of the capacity kept free' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l confidence -d 'probability with which the nodes are to keep the promises, such as 0.9; the forecast\'s own nodes if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l max-nodes -d 'the most nodes that there may be, spares among them' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l max-cost -d 'the most that all of them may cost, such as 40USD/h or \'30000 USD/month\'' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l set -d 'set any field of the scenario, such as cost.mode=rent; may be repeated' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from compare; and not __fish_seen_subcommand_from calibrate' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from completion; and not __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from completion; and not __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from completion; and not __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from completion; and not __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from completion; and not __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from completion; and not __fish_seen_subcommand_from calibrate' -x -a 'bash zsh fish'
complete -c plimsoll -n '__fish_seen_subcommand_from detect; and not __fish_seen_subcommand_from calibrate' -l from -d 'outputs of another machine that --save wrote there, instead of this one\'s' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from detect; and not __fish_seen_subcommand_from calibrate' -l save -d 'where to keep the outputs: nvidia-smi.xml, topo.txt, lscpu.txt, meminfo.txt, pcie.txt, nics.txt' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from detect; and not __fish_seen_subcommand_from calibrate' -l name -d 'of the node; made of GPU and count if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from detect; and not __fish_seen_subcommand_from calibrate' -l output-data -d 'the data directory to write to' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from detect; and not __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from detect; and not __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from detect; and not __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from detect; and not __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from detect; and not __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l model -d 'model: a name, or the path of a config.json' -x -a '(plimsoll list models --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l node -d 'node type' -x -a '(plimsoll list nodes --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l engine -d 'serving engine' -x -a '(plimsoll list engines --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l profile -d 'the only profile of measured kernels to use, or none' -x -a '(plimsoll list profiles --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l weights -d 'weight dtype; the model\'s own if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l tensor-parallel -d 'tensor-parallel degree; 1 if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l pipeline-parallel -d 'pipeline degree; 1 if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l expert-parallel -d 'tensor ranks that hold different experts; 1 if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l attention-data-parallel -d 'groups of tensor ranks whose attention has requests of its own; 1 if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l context-parallel -d 'tensor ranks that divide the context of a sequence; 1 if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l hosts-per-instance -d 'nodes that an instance spans; 1 if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l prompt -d 'tokens of the prefill; the scenario\'s mean, or 1024' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l batch -d 'sequences of the decode step; the plan\'s mean, or 1' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l context -d 'tokens of each; the plan\'s mean, or 1024' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from explain; and not __fish_seen_subcommand_from calibrate' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from list; and not __fish_seen_subcommand_from calibrate' -l names -d 'only the names, one a line'
complete -c plimsoll -n '__fish_seen_subcommand_from list; and not __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from list; and not __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from list; and not __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from list; and not __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from list; and not __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from list; and not __fish_seen_subcommand_from calibrate' -x -a 'gpus nodes models engines workloads links classes profiles blocks parallelism commands formats schedulers routers loads importers'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l model -d 'models to serve: names, or paths of config.json files' -x -a '(plimsoll list models --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l node -d 'node types that may be used, or all' -x -a '(plimsoll list nodes --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l engine -d 'serving engines' -x -a '(plimsoll list engines --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l weights -d 'weight dtypes to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l kv-cache -d 'dtype of the KV cache' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l tensor-parallel -d 'tensor-parallel degrees to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l pipeline-parallel -d 'pipeline degrees to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l expert-parallel -d 'degrees to try of experts on ranks of their own' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l attention-data-parallel -d 'degrees to try of attention groups with requests of their own' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l context-parallel -d 'degrees to try of ranks that divide the context of a sequence' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l hosts-per-instance -d 'nodes that an instance spans, to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l instances -d 'instances per node to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l max-sequences -d 'limits on running requests to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l profile -d 'the only profile of measured kernels to use, or none' -x -a '(plimsoll list profiles --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l users -d 'registered users' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l active-share -d 'share of them that is active at the same time' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l peak-factor -d 'peak load over mean load' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l rate -d 'requests that arrive, instead of users, such as 12/s' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l think-time -d 'between an answer and the user\'s next request: 2s in the mean, or fixed:2s' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l workload -d 'prompt and output lengths by name' -x -a '(plimsoll list workloads --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l prompt-tokens -d 'such as 900 or lognormal:mean=900,cv=1' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l output-tokens -d 'the same for the output' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l ttft -d 'promised time to first token, such as 3.15s' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l tpot -d 'promised time per output token, such as 100ms' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l e2e -d 'promised time to the last token' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l statistic -d 'the statistic that the promises are about' -x -a 'mean p50 p90 p95 p99'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l spares -d 'nodes beyond those needed' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l headroom -d 'fraction of the capacity kept free' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l confidence -d 'probability with which the nodes are to keep the promises, such as 0.9; the forecast\'s own nodes if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l max-nodes -d 'the most nodes that there may be, spares among them' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l max-cost -d 'the most that all of them may cost, such as 40USD/h or \'30000 USD/month\'' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l set -d 'set any field of the scenario, such as cost.mode=rent; may be repeated' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l referee -d 'what the simulator judges again: nothing, the best of each answer, or also the runners-up near it' -x -a 'none fast full'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l seed -d 'of the simulated runs' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l threads -d 'runs at the same time; the machine\'s cores if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l verbose -d 'also runners-up, tails, memory and sources'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l all -d 'also every candidate, with why it fails'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from plan; and not __fish_seen_subcommand_from calibrate' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from show; and not __fish_seen_subcommand_from calibrate' -l kind -d 'the kind of entry, where a name means several' -x -a 'gpu node model engine workload link efficiency-class profile'
complete -c plimsoll -n '__fish_seen_subcommand_from show; and not __fish_seen_subcommand_from calibrate' -l entry -d 'the entry itself as a file of our own format, to keep and to edit'
complete -c plimsoll -n '__fish_seen_subcommand_from show; and not __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from show; and not __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from show; and not __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from show; and not __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from show; and not __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from show; and not __fish_seen_subcommand_from calibrate' -x -a '(plimsoll list gpus --names 2>/dev/null; plimsoll list nodes --names 2>/dev/null; plimsoll list models --names 2>/dev/null; plimsoll list engines --names 2>/dev/null; plimsoll list workloads --names 2>/dev/null; plimsoll list links --names 2>/dev/null; plimsoll list classes --names 2>/dev/null; plimsoll list profiles --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l model -d 'models to serve: names, or paths of config.json files' -x -a '(plimsoll list models --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l node -d 'node types that may be used, or all' -x -a '(plimsoll list nodes --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l engine -d 'serving engines' -x -a '(plimsoll list engines --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l weights -d 'weight dtypes to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l kv-cache -d 'dtype of the KV cache' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l tensor-parallel -d 'tensor-parallel degrees to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l pipeline-parallel -d 'pipeline degrees to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l expert-parallel -d 'degrees to try of experts on ranks of their own' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l attention-data-parallel -d 'degrees to try of attention groups with requests of their own' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l context-parallel -d 'degrees to try of ranks that divide the context of a sequence' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l hosts-per-instance -d 'nodes that an instance spans, to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l instances -d 'instances per node to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l max-sequences -d 'limits on running requests to try' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l profile -d 'the only profile of measured kernels to use, or none' -x -a '(plimsoll list profiles --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l users -d 'users of the simulated replicas together; their share of the plan\'s load if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l active-share -d 'share of them that is active at the same time' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l peak-factor -d 'peak load over mean load' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l rate -d 'requests that arrive at the simulated replicas together, such as 12/s' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l think-time -d 'between an answer and the user\'s next request: 2s in the mean, or fixed:2s' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l workload -d 'prompt and output lengths by name, or a recorded workload with its arrivals: FILE.csv, FILE.jsonl' -x -a '(plimsoll list workloads --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l prompt-tokens -d 'such as 900 or lognormal:mean=900,cv=1' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l output-tokens -d 'the same for the output' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l ttft -d 'promised time to first token, such as 3.15s' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l tpot -d 'promised time per output token, such as 100ms' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l e2e -d 'promised time to the last token' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l statistic -d 'the statistic that the promises are about' -x -a 'mean p50 p90 p95 p99'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l spares -d 'nodes beyond those needed' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l headroom -d 'fraction of the capacity kept free' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l confidence -d 'probability with which the nodes are to keep the promises, such as 0.9; the forecast\'s own nodes if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l max-nodes -d 'the most nodes that there may be, spares among them' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l max-cost -d 'the most that all of them may cost, such as 40USD/h or \'30000 USD/month\'' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l set -d 'set any field of the scenario, such as cost.mode=rent; may be repeated' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l cost-tables -d 'time steps by the tables linear.csv, attn_decode.csv and attn_prefill.csv of a folder, without a scenario' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l layers -d 'layers of the model that the tables are of' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l scheduler -d 'rule of the engine, instead of its own' -x -a 'lightllm llama-cpp orca sarathi sglang static-batching tensorrt-llm tensorrt-llm-max-utilization tgi tgi-chunked vllm-v0 vllm-v1 vllm-v1-async'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l max-step-tokens -d 'tokens of a step, or of a prefill that runs alone' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l kv-blocks -d 'KV blocks of a replica' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l kv-block-tokens -d 'tokens of a KV block' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l watermark -d 'share of the KV blocks that admission keeps free' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l padded-prefill -d 'vllm-v0: count requests x longest prompt against the tokens of a prefill, as early versions did'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l preemption -d 'vllm-v0: what becomes of requests that must make room' -x -a 'recompute swap'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l replicas -d 'instances behind a router' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l router -d 'how requests are given to replicas' -x -a 'least-kv least-outstanding power-of-two prefix-affinity random round-robin session-affinity'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l prefill-replicas -d 'with --decode-replicas: the same as --replicas' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l decode-replicas -d 'further instances that decode for the others' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l kv-link -d 'link that the KV goes over to them' -x -a '(plimsoll list links --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l mean-time-to-failure -d 'of a replica, exponential, such as 7d' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l mean-time-to-repair -d 'of a failed one, exponential' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l start-up -d 'of a repaired one, before it takes requests' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l patience -d 'after which a client without a first token goes away' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l retries -d 'further attempts of clients that were refused or went away' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l arrivals -d 'law of the times between requests of a rate' -x -a 'poisson constant gamma weibull'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l cv -d 'gamma, weibull: standard deviation of these times over their mean' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l diurnal -d 'a rate that changes over the day, F times the mean at its peak' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l spikes -d 'a rate that rises at the end of each period, such as period=1h,length=1min,factor=5' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l sessions -d 'conversations of so many turns, such as 5 or geometric:mean=5: each turn sends all before it' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l protocol -d 'what users do: go on for ever, drain a shared queue, or send one request each' -x -a 'steady shared-queue one-each'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l highest-load -d 'search the most users, or the highest rate, that keep the promises, and simulate that load'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l requests -d 'a run ends when so many requests are answered or refused; 100000 if neither this nor --duration is given, all of a file' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l duration -d 'simulated time after which a run ends, such as 1h' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l warm-up -d 'requests that are not counted at the start, \'none\', or \'auto\': found in the run\'s own course (auto if absent; none for a file or a finite queue)' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l seed -d 'of all that is drawn' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l replications -d 'independent runs' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l threads -d 'runs at the same time; the machine\'s cores if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l requests-out -d 'write a CSV row for each request (of the first replication)' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l trace-out -d 'write the first replication as Chrome trace events, for Perfetto' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l series-out -d 'write the course of the first replication in at most 512 intervals as CSV' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l timing -d 'add wall time and requests per second'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l verbose -d 'also the intervals of the percentiles and the limits of the engine'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from simulate; and not __fish_seen_subcommand_from calibrate' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l assumptions -d 'what the table does not say: an entry of scenarios/library/assumptions or a file' -x
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l engine -d 'serving engine' -x -a '(plimsoll list engines --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l node -d 'node type of every row' -x -a '(plimsoll list nodes --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l weights -d 'weight dtype' -x
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l profile -d 'the only profile of measured kernels to use, or none' -x -a '(plimsoll list profiles --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l think-time -d 'such as uniform:min=1s,max=3s' -x
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l protocol -d 'whether a run drains a shared queue or is steady; both: side by side, for rows with printed lengths' -x -a 'drain steady-state both'
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l requests -d 'requests of the shared queue' -x
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l ramp -d 'over which the users of a run start' -x
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l importer -d 'form of the files, as plimsoll list importers has them; told by their text if absent' -x -a '(plimsoll list importers --names 2>/dev/null)'
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l column -d 'what another tool\'s file does not say of its rows, such as gpu=h20-96gb-sxm' -x
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l where -d 'takes the rows with COLUMN=VALUE, COLUMN>=VALUE or COLUMN<=VALUE; all given must hold' -x
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l data -d 'lay the data of a directory (hardware_db/, scenarios/library/) over the shipped ones; may be repeated' -x -a '(__fish_complete_directories)'
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l format -d 'how to write the answer' -x -a 'csv json markdown table'
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l output -d 'write the answer to a file; - is the standard output' -r -F
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l width -d 'columns of the text; those of the terminal if absent' -x
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -l help -d 'the help of this command'
complete -c plimsoll -n '__fish_seen_subcommand_from validate; and not __fish_seen_subcommand_from calibrate' -r -F
