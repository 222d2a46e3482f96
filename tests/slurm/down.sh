#!/usr/bin/env bash
# down.sh ROOT [--purge] — stops the cluster that up.sh started in ROOT, by process ids; --purge removes ROOT.
set -uo pipefail
ROOT=$1
[[ -d $ROOT ]] || { echo "slurm down: no $ROOT"; exit 0; }
ROOT=$(cd "$ROOT" && pwd -P)
export SLURM_CONF=$ROOT/slurm.conf
exec 9>"$ROOT/.lock"; flock 9
ours() { [[ $(cat "/proc/$1/comm" 2>/dev/null) == "$2"* ]] && { tr '\0' ' ' <"/proc/$1/cmdline" | grep -qF -- "$ROOT"; } 2>/dev/null; }
stop() { # stop PID NAME: TERM, wait 5 s, KILL; only if it is still the process that we think
  ours "$1" "$2" || return 0
  kill -TERM "$1" 2>/dev/null
  for _ in {1..50}; do ours "$1" "$2" || return 0; sleep 0.1; done
  kill -KILL "$1" 2>/dev/null; }
# 1. end the jobs, so that no step outlives its slurmd
if [[ -s $ROOT/run/slurmctld.pid ]] && timeout 5 scontrol ping 2>/dev/null | grep -q 'is UP'; then
  timeout 10 squeue -h -o %A 2>/dev/null | sort -un | xargs -r timeout 10 scancel 2>/dev/null
  for _ in {1..50}; do [[ -z $(timeout 5 squeue -h -t R,CG 2>/dev/null) ]] && break; sleep 0.1; done
fi
# 2. daemons
for f in "$ROOT"/run/slurmd.*.pid; do [[ -s $f ]] && stop "$(cat "$f")" slurmd; rm -f "$f"; done
# step daemons and job processes that outlived a killed slurmd: known by this cluster's SLURM_CONF in their environment
for d in /proc/[0-9]*; do
  p=${d#/proc/}; [[ $p != "$$" ]] || continue
  e=$({ tr '\0' '\n' <"$d/environ" | grep -xE "SLURM_CONF=.*|SLURM_JOB_ID=.*"; } 2>/dev/null) || continue
  grep -qxF "SLURM_CONF=$ROOT/slurm.conf" <<<"$e" || continue
  if [[ $e == *SLURM_JOB_ID=* || $(cat "$d/comm" 2>/dev/null) == slurmstepd ]]; then kill -KILL "$p" 2>/dev/null; fi
done
[[ -s $ROOT/run/slurmctld.pid ]] && stop "$(cat "$ROOT/run/slurmctld.pid")" slurmctld; rm -f "$ROOT/run/slurmctld.pid"
[[ -s $ROOT/munge/munged.pid ]] && stop "$(cat "$ROOT/munge/munged.pid")" munged; rm -f "$ROOT"/munge/munged.pid
[[ ${2:-} == --purge ]] && rm -rf "$ROOT"
echo "slurm down: $ROOT"
