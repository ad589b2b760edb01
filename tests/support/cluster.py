"""A SLURM cluster on this machine: munged, slurmctld and three slurmds as children of the test run.

It listens on 127.0.0.1 only, lives in one temporary folder, and needs root (slurmd starts jobs as their users), but
no service manager. Memory and GPUs are scheduled, not enforced; the four GPUs are clones of /dev/null.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun", "scontrol", "sinfo", "scancel"]
# GPUs of each node. There are two of them with GPUs: a job that must not be spread could be.
NODES = {"cpu1": 0, "gpu1": 3, "gpu2": 1}

# EnforcePartLimits: without it a job longer than its partition allows would wait for ever.
# MinJobAge: finished jobs stay visible for the tests. The other times make scheduling quick.
SLURM_CONF = """\
ClusterName=crane
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.sock
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
EnforcePartLimits=ALL
SlurmdParameters=config_overrides
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
GresTypes=gpu
MinJobAge=3600
KillWait=2
InactiveLimit=0
SlurmctldTimeout=30
SlurmdTimeout=30
MessageTimeout=20
PropagateResourceLimits=NONE
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
PlugStackConfig=/dev/null
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
{nodes}
PartitionName=cpu Nodes=cpu1 Default=YES MaxTime=1-00:00:00 DefaultTime=00:10:00 State=UP
PartitionName=gpu Nodes=gpu1,gpu2 MaxTime=1-00:00:00 DefaultTime=00:10:00 State=UP
"""
NODE = (
    "NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=64 RealMemory=256000 {gpus}"
)
CGROUP_CONF = "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n"


def obstacle() -> str | None:
    """Return why no cluster can be started here, and what to do; nothing where it can."""
    missing = [name for name in PROGRAMS if _program(name) is None]
    if missing:
        return (
            f"SLURM is not installed ({', '.join(missing)} missing): `make test-slurm` as root, or "
            "`apt-get install --no-install-recommends slurm-wlm munge`"
        )
    if os.geteuid() != 0:
        return "the pretended cluster needs root (slurmd starts jobs as their users)"
    return None


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Cluster:
    """A running cluster with a partition `cpu` and a partition `gpu` of four GPUs; a context manager."""

    def __init__(self) -> None:
        # Not pytest's folder: a socket's path must stay below 108 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="crane-slurm-"))
        self._daemons: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        """What a client of the cluster needs in its environment."""
        return {
            "SLURM_CONF": str(self.folder / "etc" / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }

    def __enter__(self) -> Self:
        try:
            self._configure()
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if len(self._daemons) > 1:  # the controller runs: jobs first, or they would outlive it
            subprocess.run(
                ["scancel", "--user", "root"], env={**os.environ, **self.environment}, timeout=30, check=False
            )
            self._wait_until(lambda: not self.squeue("--states", "running,completing"), 30, complain=False)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _configure(self) -> None:
        for name in ("bin", "dev", "etc", "log", "run", "state", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "run" / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        controller, *ports = _free_ports(1 + len(NODES))
        nodes = "\n".join(
            NODE.format(name=name, port=port, gpus=f"Gres=gpu:h200:{gpus}" if gpus else "").rstrip()
            for port, (name, gpus) in zip(ports, NODES.items(), strict=True)
        )
        etc = self.folder / "etc"
        (etc / "slurm.conf").write_text(
            SLURM_CONF.format(folder=self.folder, controller=controller, nodes=nodes)
        )
        gres = ["AutoDetect=off"]
        for node, gpus in NODES.items():
            for number in range(gpus):
                device = self.folder / "dev" / f"{node}-{number}"
                os.mknod(device, 0o20666, os.makedev(1, 3))
                gres.append(f"NodeName={node} Name=gpu Type=h200 File={device}")
        (etc / "gres.conf").write_text("\n".join(gres) + "\n")
        (etc / "cgroup.conf").write_text(CGROUP_CONF)
        # Snakemake removes SLURM_* from the environment of a job's own srun, the path of this cluster with it.
        srun = self.folder / "bin" / "srun"
        srun.write_text(
            f'#!/bin/sh\nSLURM_CONF={etc / "slurm.conf"} exec {_program("srun")} "$@"\n', encoding="utf-8"
        )
        srun.chmod(0o755)

    def _start(self) -> None:
        run, log = self.folder / "run", self.folder / "log"
        self._daemon(
            "munged", "--foreground", "--force", f"--key-file={run}/munge.key", f"--socket={run}/munge.sock",
            f"--pid-file={run}/munged.pid", f"--log-file={log}/munged.log", f"--seed-file={run}/munged.seed",
        )  # fmt: skip
        self._wait_until((run / "munge.sock").exists, 10)
        self._daemon("slurmctld", "-D", "-c", "-i")
        for node in NODES:
            self._daemon("slurmd", "-D", "-N", node)
        idle = ["idle"] * len(NODES)
        self._wait_until(lambda: self._output("sinfo", "-h", "-N", "-o", "%t").split() == idle, 60)

    def _daemon(self, name: str, *arguments: str) -> None:
        with (self.folder / "log" / f"{name}.out").open("ab") as out:
            self._daemons.append(
                subprocess.Popen(
                    [str(_program(name)), *arguments],
                    env={**os.environ, **self.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                )
            )

    def _wait_until(self, condition, seconds: float, complain: bool = True) -> None:  # type: ignore[no-untyped-def]
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                if not complain:
                    return
                logs = "\n".join(
                    f"{path.name}: {path.read_text(errors='replace')[-1500:]}"
                    for path in sorted((self.folder / "log").iterdir())
                )
                raise RuntimeError(f"the cluster did not start within {seconds:.0f} s\n{logs}")
            time.sleep(0.1)

    def _output(self, *command: str) -> str:
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, text=True, capture_output=True, timeout=60
        )
        return done.stdout

    # What the tests ask ---------------------------------------------------------------------------------

    def squeue(self, *arguments: str) -> list[str]:
        """Return the ids of the jobs that squeue lists."""
        return self._output("squeue", "-h", "-o", "%i", *arguments).split()

    def jobs(self) -> dict[str, dict[str, str]]:
        """Return what `scontrol show job` says of every job, finished ones included: id -> key -> value."""
        listed = {}
        for line in self._output("scontrol", "-o", "show", "job").splitlines():
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if "JobId" in fields:
                listed[fields["JobId"]] = fields
        return listed

    def occupy(self, node: str, gpus: int) -> str:
        """Take GPUs of a node until the job, whose id is returned, is cancelled."""
        job = self._output(
            "sbatch", "--parsable", "--partition=gpu", f"--nodelist={node}", "--ntasks=1", f"--gpus={gpus}",
            "--mem=1000", "--time=10", "--output=/dev/null", "--wrap=sleep 600",
        ).strip()  # fmt: skip
        self._wait_until(lambda: job in self.squeue("--states", "running"), 20)
        return job

    def cancel(self, job: str) -> None:
        """Cancel one job."""
        subprocess.run(["scancel", job], env={**os.environ, **self.environment}, check=True)
