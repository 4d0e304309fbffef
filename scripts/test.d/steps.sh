# shellcheck shell=bash
# Steps with a name, and a table of how long each took.

steps=() step='' began=0

# step NAME COMMAND...: what fails ends the whole script.
step() {
  step=$1 began=$SECONDS
  printf '\n== %s\n' "$step"
  "${@:2}"
  steps+=("$(printf '%5d s  %s' "$((SECONDS - began))" "$step")")
  step=''
}

# Shown at the end, whether all is well or not.
table() {
  [[ -z $step ]] || steps+=("$(printf '%5d s  %s: FAILED' "$((SECONDS - began))" "$step")")
  printf '\n== time of each step\n'
  printf '%s\n' "${steps[@]}"
  printf '%5d s  all\n' "$SECONDS"
}
