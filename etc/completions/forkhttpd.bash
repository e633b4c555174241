# forkhttpd in bash: written by scripts/manual from the parsers.

_forkhttpd() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=""
    case ${COMP_WORDS[1]} in
        status)
            case $previous in
                -c) _forkhttpd_paths -f "$current" && return ;;
            esac
            words="-h --help -c --json --watch"
            ;;
        explain)
            case $previous in
                -c) _forkhttpd_paths -f "$current" && return ;;
            esac
            words="-h --help -c"
            ;;
        *)
            case $previous in
                -c) _forkhttpd_paths -f "$current" && return ;;
                -s) mapfile -t COMPREPLY < <(compgen -W "reload stop quit reopen upgrade" -- "$current") && return ;;
                -b | --bind) mapfile -t COMPREPLY < <(compgen -W "" -- "$current") && return ;;
                -d | --directory) _forkhttpd_paths -d "$current" && return ;;
                -p | --protocol) mapfile -t COMPREPLY < <(compgen -W "" -- "$current") && return ;;
            esac
            words="-c -t -T -s --daemon --cgi -b --bind -d --directory -p --protocol --allow-root --version --help -h"
            ;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="explain status $words"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

_forkhttpd_paths() { # what compgen takes for files or directories, and how they begin
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

complete -F _forkhttpd forkhttpd
