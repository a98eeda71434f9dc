"""Completions for bash, zsh and fish, written from the commands and options of the program itself.

In: nothing. Out: the three files beside this one (a test holds them to the program). Run it after changing an option:
`.venv/bin/python packaging/completions/generate.py`.
"""

from collections.abc import Iterator
from pathlib import Path

from litestreamd.cli import main
from litestreamd.cli.command import Command
from litestreamd.cli.options import Option

HERE = Path(__file__).parent
CHOICES = {
    ("restore", "integrity-check"): "auto none quick full",
    ("replicate", "log-level"): "debug info warn error",
    ("ltx", "level"): "0 1 2 3 4 5 6 7 8 9 all",
}
FILES = {"PATH", "DIR", "URL"}
"""Placeholders that a file or a folder may stand for."""
INSTANCES = "/etc/litestreamd/*.yml"
UNITS = "litestreamd@ litestreamd-restore@ litestreamd-verify@ litestreamd-verify-all@"
HEAD = "# Written by packaging/completions/generate.py: do not edit."


def commands() -> list[Command]:
    return [main.load(name) for name in main.COMMANDS]


def names(option: Option) -> tuple[str, ...]:
    return (option.name, *option.also)


def takes_words(command: Command) -> bool:
    """Whether a name of an instance or a path may follow."""
    return command.words_max != 0 and command.name not in ("failure", "migrate-config")


# bash


def bash() -> str:
    lines = [HEAD, "", *_BASH_HEAD.splitlines(), '  case "$command,$previous" in']
    for command in commands():
        for option in command.options:
            if option.value is not None:
                pattern = "|".join(f"{command.name},-{name}|{command.name},--{name}" for name in names(option))
                lines.append(f"    {pattern}) {_bash_value(command, option)}; return ;;")
    lines += ["  esac", '  case "$command" in']
    for command in commands():
        options = " ".join(f"-{name}" for option in command.options for name in names(option))
        lines.append(f"    {command.name}) options='{f'{options} -h'.strip()}' words={_words(command)} ;;")
    return "\n".join((*lines, *_BASH_TAIL.splitlines(), ""))


def _words(command: Command) -> str:
    if command.name == "failure":
        return "units"
    if command.name == "migrate-config":
        return "files"
    return "instances" if takes_words(command) else "none"


def _bash_value(command: Command, option: Option) -> str:
    if (known := CHOICES.get((command.name, option.name))) is not None:
        return f"mapfile -t COMPREPLY < <(compgen -W '{known}' -- \"$current\")"
    if option.value == "DIR":
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current")'
    if option.value in FILES:
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current")'
    if option.name in ("user", "group"):
        return f'mapfile -t COMPREPLY < <(compgen -{option.name[0]} -- "$current")'
    return "COMPREPLY=()"


_BASH_HEAD = f"""\
_litestreamd() {{
  local current previous command options words file
  current=${{COMP_WORDS[COMP_CWORD]}}
  previous=${{COMP_WORDS[COMP_CWORD - 1]}}
  COMPREPLY=()
  if [ "${{COMP_WORDS[0]##*/}}" = litestreamd-restore ]; then
    command=restore
  elif [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W '{" ".join(main.COMMANDS)}' -- "$current")
    return
  else
    command=${{COMP_WORDS[1]}}
  fi"""
_BASH_TAIL = f"""\
    *) return ;;
  esac
  case "$current" in
    --*) mapfile -t COMPREPLY < <(compgen -P - -W "$options" -- "${{current#-}}"); return ;;
    -*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current"); return ;;
  esac
  case "$words" in
    units) mapfile -t COMPREPLY < <(compgen -W '{UNITS}' -- "$current"); compopt -o nospace; return ;;
    none) return ;;
    instances)
      for file in {INSTANCES}; do
        [ -e "$file" ] || continue
        file=${{file##*/}}
        case "${{file%.yml}}" in "$current"*) COMPREPLY+=("${{file%.yml}}") ;; esac
      done
      ;;
  esac
  compopt -o filenames
  mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -f -- "$current")
}}
complete -F _litestreamd litestreamd litestreamd-restore"""


# zsh


def zsh() -> str:
    lines = ["#compdef litestreamd litestreamd-restore", HEAD, "", *_ZSH_HEAD.splitlines()]
    lines += [f"    {_quoted(f'{command.name}:{command.summary}')}" for command in commands()]
    lines += [*_ZSH_MIDDLE.splitlines()]
    for command in commands():
        lines.append(f"    {command.name})")
        lines.append("      _arguments \\")
        for option in command.options:
            for name in names(option):
                for dashes in ("-", "--"):
                    lines.append(f"        {_zsh_option(command, option, dashes + name)} \\")
        lines.append(f"        {_zsh_words(command)}")
        lines.append("      ;;")
    return "\n".join((*lines, *_ZSH_TAIL.splitlines(), ""))


def _zsh_option(command: Command, option: Option, name: str) -> str:
    told = option.help.replace("[", "(").replace("]", ")")
    if option.value is None:
        return _quoted(f"{name}[{told}]")
    action = " "
    if (known := CHOICES.get((command.name, option.name))) is not None:
        action = f"({known})"
    elif option.value == "DIR":
        action = "_files -/"
    elif option.value in FILES:
        action = "_files"
    elif option.name in ("user", "group"):
        action = f"_{option.name}s"
    return _quoted(f"{name}[{told}]:{option.value.replace(':', ' ')}:{action}")


def _zsh_words(command: Command) -> str:
    return {
        "units": f"'*:unit:({UNITS})'",
        "files": "'*:file:_files'",
        "instances": "'*:instance or path:_litestreamd_instances'",
        "none": "",
    }[_words(command)] or "'*: : '"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_ZSH_HEAD = f"""\
_litestreamd_instances() {{
  local -a instances
  instances=({INSTANCES}(N:t:r))
  _alternative 'instances:instance:compadd -a instances' 'files:file:_files'
}}

_litestreamd() {{
  local command
  local -a commands
  commands=("""
_ZSH_MIDDLE = """\
  )
  if [[ $service == litestreamd-restore ]]; then
    command=restore
  elif (( CURRENT == 2 )); then
    _describe command commands
    return
  else
    command=$words[2]
    shift words
    (( CURRENT-- ))
  fi
  case $command in"""
_ZSH_TAIL = """\
  esac
}

_litestreamd "$@\""""


# fish


def fish() -> str:
    lines = [HEAD, "", *_FISH_HEAD.splitlines()]
    for command in commands():
        lines.append(
            f"complete -c litestreamd -f -n __fish_use_subcommand -a {command.name} -d {_fish_quoted(command.summary)}"
        )
    for command in commands():
        lines += _fish_command(command, f"complete -c litestreamd -n '__fish_seen_subcommand_from {command.name}'")
        if command.name == "restore":
            lines += _fish_command(command, "complete -c litestreamd-restore")
    return "\n".join((*lines, ""))


def _fish_command(command: Command, begin: str) -> Iterator[str]:
    words = _words(command)
    if words == "instances":
        yield f"{begin} -a '(__litestreamd_instances)'"
    elif words == "units":
        yield f"{begin} -f -a '{UNITS}'"
    elif words == "none":
        yield f"{begin} -f"
    for option in command.options:
        spelled = " ".join(f"-o {name} -l {name}" if len(name) > 1 else f"-s {name}" for name in names(option))
        known = CHOICES.get((command.name, option.name))
        value = ""
        if known is not None:
            value = f" -x -a '{known}'"
        elif option.name in ("user", "group"):
            value = f" -x -a '(__fish_complete_{option.name}s)'"
        elif option.value == "DIR":
            value = " -x -a '(__fish_complete_directories)'"
        elif option.value in FILES:
            value = " -r -F"
        elif option.value is not None:
            value = " -x"
        yield f"{begin} {spelled}{value} -d {_fish_quoted(option.help)}"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_FISH_HEAD = f"""\
function __litestreamd_instances
    for file in {INSTANCES}
        string replace -r '.*/(.*)\\.yml$' '$1' -- $file
    end
end
"""

WRITTEN = {"litestreamd.bash": bash, "_litestreamd": zsh, "litestreamd.fish": fish}


if __name__ == "__main__":
    for name, write in WRITTEN.items():
        (HERE / name).write_text(write())
