#!/usr/bin/env bash
# tests/launchers/slurm.sh COMMAND...: run a command on a SLURM cluster of this one machine.
# Installs Debian's packages where they are missing, needs root, keeps everything else in a
# temporary folder, and stops the daemons when the command ends.
set -euo pipefail
if ! command -v slurmctld munged > /dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends slurm-wlm munge
fi
cluster=$(mktemp -d)
export SLURM_CONF=$cluster/slurm.conf
stop() {
    scancel --quiet --me || true
    for daemon in slurmd slurmctld munged; do
        if [ -f "$cluster/$daemon.pid" ]; then kill "$(< "$cluster/$daemon.pid")" || true; fi
    done
    sleep 2
    rm -rf "$cluster"
}
trap stop EXIT

# More CPUs and memory than a small machine has: four cells of the default size must overlap.
cat > "$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$(hostname -s)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.socket,cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
JobRequeue=1
KillWait=5
ReturnToService=2
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd.log
NodeName=$(hostname -s) CPUs=8 RealMemory=64000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE
CONF
mkdir "$cluster/state" "$cluster/spool"
head --bytes=1024 /dev/urandom > "$cluster/munge.key"
chmod 600 "$cluster/munge.key"
chmod 755 "$cluster"
munged --force --key-file="$cluster/munge.key" --socket="$cluster/munge.socket" \
    --pid-file="$cluster/munged.pid" --log-file="$cluster/munged.log" \
    --seed-file="$cluster/munge.seed"
slurmctld
slurmd
for _ in {1..30}; do
    if sinfo --noheader --states=idle | grep -q idle; then break; fi
    sleep 1
done
sinfo --noheader --states=idle | grep idle || { tail "$cluster"/*.log; exit 1; }
"$@"
