# Written by packaging/completions/generate.py: do not edit.

_litestreamd() {
  local current previous command options words file
  current=${COMP_WORDS[COMP_CWORD]}
  previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if [ "${COMP_WORDS[0]##*/}" = litestreamd-restore ]; then
    command=restore
  elif [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W 'replicate restore status sync logs metrics points verify databases generations ltx accept doctor migrate-config init failure version' -- "$current")
    return
  else
    command=${COMP_WORDS[1]}
  fi
  case "$command,$previous" in
    replicate,-config|replicate,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    replicate,-log-level|replicate,--log-level) mapfile -t COMPREPLY < <(compgen -W 'debug info warn error' -- "$current"); return ;;
    replicate,-exec|replicate,--exec) COMPREPLY=(); return ;;
    restore,-o|restore,--o|restore,-output|restore,--output) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    restore,-txid|restore,--txid) COMPREPLY=(); return ;;
    restore,-timestamp|restore,--timestamp) COMPREPLY=(); return ;;
    restore,-generation|restore,--generation) COMPREPLY=(); return ;;
    restore,-index|restore,--index) COMPREPLY=(); return ;;
    restore,-retry-for|restore,--retry-for) COMPREPLY=(); return ;;
    restore,-timeout|restore,--timeout) COMPREPLY=(); return ;;
    restore,-parallelism|restore,--parallelism) COMPREPLY=(); return ;;
    restore,-integrity-check|restore,--integrity-check) mapfile -t COMPREPLY < <(compgen -W 'auto none quick full' -- "$current"); return ;;
    restore,-config|restore,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    restore,-db|restore,--db) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    restore,-replica|restore,--replica) COMPREPLY=(); return ;;
    status,-timeout|status,--timeout) COMPREPLY=(); return ;;
    status,-config|status,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    status,-socket|status,--socket) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    sync,-replica|sync,--replica) COMPREPLY=(); return ;;
    sync,-db|sync,--db) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    sync,-timeout|sync,--timeout) COMPREPLY=(); return ;;
    sync,-config|sync,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    sync,-socket|sync,--socket) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    logs,-since|logs,--since) COMPREPLY=(); return ;;
    metrics,-listen|metrics,--listen) COMPREPLY=(); return ;;
    metrics,-idle|metrics,--idle) COMPREPLY=(); return ;;
    points,-config|points,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    points,-db|points,--db) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    points,-replica|points,--replica) COMPREPLY=(); return ;;
    verify,-parallelism|verify,--parallelism) COMPREPLY=(); return ;;
    verify,-scratch|verify,--scratch) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    verify,-socket|verify,--socket) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    verify,-config|verify,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    verify,-db|verify,--db) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    verify,-replica|verify,--replica) COMPREPLY=(); return ;;
    databases,-config|databases,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    generations,-config|generations,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    generations,-db|generations,--db) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    generations,-replica|generations,--replica) COMPREPLY=(); return ;;
    ltx,-config|ltx,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    ltx,-db|ltx,--db) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    ltx,-replica|ltx,--replica) COMPREPLY=(); return ;;
    ltx,-level|ltx,--level) mapfile -t COMPREPLY < <(compgen -W '0 1 2 3 4 5 6 7 8 9 all' -- "$current"); return ;;
    accept,-config|accept,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    accept,-db|accept,--db) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    accept,-replica|accept,--replica) COMPREPLY=(); return ;;
    doctor,-config|doctor,--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    doctor,-db|doctor,--db) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    doctor,-replica|doctor,--replica) COMPREPLY=(); return ;;
    migrate-config,-o|migrate-config,--o|migrate-config,-output|migrate-config,--output) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    init,-db|init,--db) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    init,-replica|init,--replica) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    init,-credentials|init,--credentials) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    init,-user|init,--user) mapfile -t COMPREPLY < <(compgen -u -- "$current"); return ;;
    init,-group|init,--group) mapfile -t COMPREPLY < <(compgen -g -- "$current"); return ;;
    failure,-hooks|failure,--hooks) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  case "$command" in
    replicate) options='-config -no-expand-env -log-level -exec -once -take-over -h' words=instances ;;
    restore) options='-o -output -txid -timestamp -latest -generation -index -if-db-not-exists -if-replica-exists -retry-for -dry-run -yes -resume -abort -timeout -force -parallelism -integrity-check -json -config -no-expand-env -db -replica -h' words=instances ;;
    status) options='-remote -watch -json -timeout -config -no-expand-env -socket -h' words=instances ;;
    sync) options='-wait -replica -any -db -timeout -json -config -no-expand-env -socket -h' words=instances ;;
    logs) options='-since -json -h' words=instances ;;
    metrics) options='-listen -idle -h' words=none ;;
    points) options='-config -no-expand-env -db -replica -json -h' words=instances ;;
    verify) options='-full -all -parallelism -scratch -socket -no-live -json -config -no-expand-env -db -replica -h' words=instances ;;
    databases) options='-config -no-expand-env -json -h' words=instances ;;
    generations) options='-config -no-expand-env -db -replica -json -h' words=instances ;;
    ltx) options='-config -no-expand-env -db -replica -level -json -h' words=instances ;;
    accept) options='-config -no-expand-env -db -replica -h' words=instances ;;
    doctor) options='-json -config -no-expand-env -db -replica -h' words=instances ;;
    migrate-config) options='-o -output -json -h' words=files ;;
    init) options='-db -replica -credentials -force -user -group -dry-run -no-expand-env -h' words=instances ;;
    failure) options='-hooks -h' words=units ;;
    version) options='-verbose -h' words=none ;;
    *) return ;;
  esac
  case "$current" in
    --*) mapfile -t COMPREPLY < <(compgen -P - -W "$options" -- "${current#-}"); return ;;
    -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current"); return ;;
  esac
  case "$words" in
    units) mapfile -t COMPREPLY < <(compgen -W 'litestreamd@ litestreamd-restore@ litestreamd-verify@ litestreamd-verify-all@' -- "$current"); compopt -o nospace; return ;;
    none) return ;;
    instances)
      for file in /etc/litestreamd/*.yml; do
        [ -e "$file" ] || continue
        file=${file##*/}
        case "${file%.yml}" in "$current"*) COMPREPLY+=("${file%.yml}") ;; esac
      done
      ;;
  esac
  compopt -o filenames
  mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
}
complete -F _litestreamd litestreamd litestreamd-restore
