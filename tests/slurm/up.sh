#!/usr/bin/env bash
# up.sh ROOT — starts a private Slurm cluster of several nodes on this machine, or confirms that it runs. It needs neither systemd nor root.
# Needs: apt-get install -y --no-install-recommends slurm-wlm munge   (Debian 12: Slurm 22.05.8, munge 0.5.15)
# Env:   SLURM_NODES=2  SLURM_CPUS=1 (per node)  SLURM_MEM=1000 (MB per node)  SLURM_TIMEOUT=10 (SlurmdTimeout, s)  SLURM_REQUEUE_WAIT=5 (s a requeued job waits; below 5 Slurm falls back to 120)  SLURM_PARTITION (name of a further partition, with the last node)
# After: source ROOT/env.sh   (sets SLURM_CONF and PATH)
set -euo pipefail
ROOT=$1
NODES=${SLURM_NODES:-2} CPUS=${SLURM_CPUS:-1} MEM=${SLURM_MEM:-1000} DOWN_AFTER=${SLURM_TIMEOUT:-10}
export PATH=$PATH:/usr/sbin:/sbin
for b in munged slurmctld slurmd sinfo; do command -v "$b" >/dev/null || { echo "up.sh: $b is missing: apt-get install -y --no-install-recommends slurm-wlm munge" >&2; exit 3; }; done
umask 022
mkdir -p "$ROOT"; ROOT=$(cd "$ROOT" && pwd -P)
exec 9>"$ROOT/.lock"; flock 9
mkdir -p "$ROOT"/{run,log,state,spool,munge}; chmod 755 "$ROOT" "$ROOT"/{run,log,munge}; chmod 700 "$ROOT/state"
ME=$(id -un) HOST=$(hostname -s)
# With NoInAddrAny each daemon (and srun) listens on the address that the full host name resolves to: it must be a loopback one.
ADDR=$(getent ahostsv4 "$(hostname)" | awk 'NR==1{print $1}') || true
if [[ -z $ADDR && $(id -u) == 0 ]]; then # a fresh container with a name of its own
  echo "127.0.0.1 $(hostname) $HOST" >>/etc/hosts; ADDR=127.0.0.1
fi
[[ $ADDR == 127.* ]] || { echo "up.sh: host name '$(hostname)' resolves to '${ADDR:-nothing}', not to loopback: put '127.0.0.1 $(hostname)' first in /etc/hosts, or (as root) run this and the tests in: unshare -u sh -c 'hostname localhost; ...'" >&2; exit 3; }
((${#ROOT} <= 80)) || { echo "up.sh: ROOT is ${#ROOT} characters; the unix sockets in it allow about 80" >&2; exit 3; }

alive() { # alive PIDFILE NAME: is the process in PIDFILE ours and running?
  local p; p=$(cat "$1" 2>/dev/null) && [[ -n $p ]] && [[ $(cat "/proc/$p/comm" 2>/dev/null) == "$2"* ]] \
    && tr '\0' ' ' <"/proc/$p/cmdline" | grep -qF -- "$ROOT"; }
free_ports() { # free_ports N: N free loopback ports below the ephemeral range
  local p out=(); while ((${#out[@]} < $1)); do p=$((20000 + RANDOM % 12000))
    [[ " ${out[*]} " == *" $p "* ]] || (exec 3<>"/dev/tcp/$ADDR/$p") 2>/dev/null || out+=("$p"); done; echo "${out[*]}"; }

if [[ ! -s $ROOT/munge/munge.key ]]; then
  (umask 077; head -c 128 /dev/urandom >"$ROOT/munge/munge.key")
fi
chmod 600 "$ROOT/munge/munge.key"

if [[ ! -s $ROOT/slurm.conf ]]; then
  read -r -a P <<<"$(free_ports $((NODES+1)))"
  {
    cat <<CONF
ClusterName=feas
SlurmctldHost=$HOST($ADDR)
SlurmctldPort=${P[0]}
SlurmUser=$ME
SlurmdUser=$ME
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$ROOT/munge/munge.sock,cred_expire=${SLURM_REQUEUE_WAIT:-5}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$ROOT/state
SlurmdSpoolDir=$ROOT/spool/%n
SlurmctldPidFile=$ROOT/run/slurmctld.pid
SlurmdPidFile=$ROOT/run/slurmd.%n.pid
SlurmctldLogFile=$ROOT/log/slurmctld.log
SlurmdLogFile=$ROOT/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
# no cgroups, no affinity, no accounting database
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$ROOT/log/jobcomp.log
MpiDefault=none
MailProg=/bin/true
SwitchType=switch/none
# let a node claim more CPUs than the machine has
SlurmdParameters=config_overrides
# scheduling: react at once (the defaults batch decisions over seconds)
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
PriorityType=priority/basic
MaxArraySize=10001
MaxJobCount=20000
# failure handling: notice a dead slurmd after ~$DOWN_AFTER s, requeue its batch jobs, take the node back when it returns
SlurmctldTimeout=$DOWN_AFTER
SlurmdTimeout=$DOWN_AFTER
MessageTimeout=5
KillWait=2
InactiveLimit=0
Waittime=0
JobRequeue=1
ReturnToService=2
# keep finished jobs in scontrol/squeue this long (s); there is no sacct
MinJobAge=3600
CONF
    for ((i=1;i<=NODES;i++)); do
      echo "NodeName=n$i NodeHostname=$HOST NodeAddr=$ADDR Port=${P[i]} CPUs=$CPUS RealMemory=$MEM State=UNKNOWN"
    done
    echo "PartitionName=main Nodes=n[1-$NODES] Default=YES MaxTime=INFINITE State=UP"
    [[ -z ${SLURM_PARTITION:-} ]] || echo "PartitionName=$SLURM_PARTITION Nodes=n$NODES MaxTime=INFINITE State=UP"
  } >"$ROOT/slurm.conf.tmp"
  mv "$ROOT/slurm.conf.tmp" "$ROOT/slurm.conf"
fi
cat >"$ROOT/env.sh" <<ENV
export SLURM_CONF=$ROOT/slurm.conf SLURM_ROOT=$ROOT
case ":\$PATH:" in *:/usr/sbin:*) ;; *) PATH=\$PATH:/usr/sbin; export PATH;; esac
ENV
. "$ROOT/env.sh"

# daemons are started with fd 9 (the lock) closed and stdio detached, each in its own session
if ! alive "$ROOT/munge/munged.pid" munged; then
  rm -f "$ROOT"/munge/munge.sock* "$ROOT/munge/munged.pid"
  munged --force --socket="$ROOT/munge/munge.sock" --key-file="$ROOT/munge/munge.key" --log-file="$ROOT/log/munged.log" \
    --pid-file="$ROOT/munge/munged.pid" --seed-file="$ROOT/munge/munged.seed" --num-threads=2 9>&- </dev/null >>"$ROOT/log/munged.out" 2>&1
fi
for _ in {1..50}; do munge -n -S "$ROOT/munge/munge.sock" 2>/dev/null | unmunge -S "$ROOT/munge/munge.sock" >/dev/null 2>&1 && break; sleep 0.1; done
if ! alive "$ROOT/run/slurmctld.pid" slurmctld; then
  slurmctld -i -f "$ROOT/slurm.conf" 9>&- </dev/null >>"$ROOT/log/slurmctld.out" 2>&1
fi
SECONDS=0
until scontrol ping 2>/dev/null | grep -q 'is UP'; do
  ((SECONDS < 3)) || { ((SECONDS < 15)) && alive "$ROOT/run/slurmctld.pid" slurmctld; } || { echo "up.sh: slurmctld is not up:" >&2; tail -n 5 "$ROOT"/log/slurmctld.{log,out} >&2; exit 1; }
  sleep 0.1; done
for ((i=1;i<=NODES;i++)); do
  if ! alive "$ROOT/run/slurmd.n$i.pid" slurmd; then
    mkdir -p "$ROOT/spool/n$i"
    slurmd -N "n$i" -f "$ROOT/slurm.conf" 9>&- </dev/null >>"$ROOT/log/slurmd.n$i.out" 2>&1
  fi
done
SECONDS=0
for ((k=1; SECONDS < 30; k++)); do # up to 30 s for every node to register; a node that an earlier test left drained or down is taken back
  if (( k % 10 == 2 )); then
    for n in $(sinfo -h -N -o '%N=%T' 2>/dev/null | sed -nE 's/^([^=]+)=(drained|draining|down|fail).*/\1/p' | sort -u); do
      scontrol update NodeName="$n" State=RESUME 2>/dev/null || true; done
  fi
  up=$(sinfo -h -N -o '%t' 2>/dev/null | grep -cE '^(idle|mix|alloc|comp)$' || true)
  [[ $up -ge $NODES ]] && { echo "slurm up: $NODES nodes, SLURM_CONF=$ROOT/slurm.conf"; exit 0; }
  sleep 0.1
done
echo "up.sh: only ${up:-0} of $NODES nodes came up; last log lines:" >&2
sinfo -N -l >&2 || true; tail -n 5 "$ROOT"/log/slurm*.log "$ROOT"/log/*.out >&2 || true
exit 1
