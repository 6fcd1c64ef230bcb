#!/usr/bin/env python3
"""The article as a stranger runs it: submits examples/chainer_mnist from a copy of this repository, for real.

    submit.py local            ./run submit, twice: versions 1 and 2, files that NumPy and Chainer read
    submit.py azure [OPTION...] the same program with a config.json, against the stand-in for Azure started with OPTIONs
                               (contract_server.py --help; --tls makes its own certificate)

Looks at what a person would: phases, each log line once, metrics, versions, bytes. Nothing that is printed, left on the
disk or seen in the list of processes may hold a secret. Chainer is tried where it can be imported.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shlex
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
AZUREML = pathlib.Path(os.environ.get("DNN_AZUREML_DIR", ROOT.parent / "shared/azureml/server"))
EPOCHS = 2
PHASES = ["== Preparing", "== Scaling", "== Running", "== Post-processing", "Completed after"]


def check(good, what):
    if not good:
        sys.exit(f"FAILED: {what}")


class ProcessList:
    """The arguments of all processes, looked at again and again while a block runs."""

    def __enter__(self):
        self.seen, self.over = set(), threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.over.wait(0.05):
            for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    self.seen.add(file.read_bytes())

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def submit(command, folder, environment):
    print("$", shlex.join(map(str, command)), flush=True)
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, flush=True)
    check(done.returncode == 0, f"exit code {done.returncode}")
    at = [done.stdout.find("\n" + phase) for phase in PHASES]
    check(-1 not in at and at == sorted(at), f"phases in order: {at}")
    for epoch in range(1, EPOCHS + 1):
        check(len(re.findall(f"^epoch:{epoch:02} ", done.stdout, re.M)) == 1, f"the line of epoch {epoch} once")
    accuracy = re.findall(r"^ +\d+ +(0\.\d+)$", done.stdout, re.M)
    check(len(accuracy) == EPOCHS, f"a table of {EPOCHS} accuracies: {accuracy}")
    version = re.search(r"^Registered chainer-dnn-mnist, version (\d+)$", done.stdout, re.M)
    check(version, "the registered version")
    return done.stdout, int(version[1])


def read_model(file):
    import numpy

    with numpy.load(file) as arrays:
        shapes = {name: arrays[name].shape for name in arrays.files}
    expected = {"l1/W": (100, 784), "l2/W": (100, 100), "l3/W": (10, 100), "l1/b": (100,), "l2/b": (100,), "l3/b": (10,)}
    check(shapes == expected, f"NumPy reads {shapes}")
    try:
        import chainer
    except ImportError:
        return print("NumPy reads", file)
    chain = chainer.Chain()
    with chain.init_scope():
        chain.l1, chain.l2, chain.l3 = (chainer.links.Linear(*n) for n in ((784, 100), (100, 100), (100, 10)))
    chainer.serializers.load_npz(str(file), chain)
    check((chain.l1.W.array == numpy.load(file)["l1/W"]).all(), "Chainer has the same numbers")
    print("NumPy and Chainer read", file)


def no_secrets(secrets, texts, folders):
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # a supervisor may be tidying up
                    texts.append(pathlib.Path(parent, name).read_bytes())
    for text in texts:
        text = text if isinstance(text, bytes) else text.encode()
        for secret in secrets:
            at = text.find(secret.encode())
            check(at < 0, f"a secret is shown: {text[max(0, at - 60):at]}...")


def local(folder):
    environment = dict(os.environ, CLOUD_WORKSPACE=str(folder / "workspace"), CLOUD_TEST_PASSWORD="hush-hush")
    for wanted in (1, 2):
        text, version = submit([ROOT / "run", "submit", "--epochs", str(EPOCHS)], folder, environment)
        check(version == wanted, f"version {wanted}, not {version}")
        read_model(folder / "model/model.npz")
    no_secrets(["hush-hush"], [text], [folder / "workspace/runs"])
    for file in folder.glob("workspace/runs/*/job.json"):
        check(stat.S_IMODE(file.stat().st_mode) == 0o600, f"{file} is for its owner only")


def azure(folder, options):
    if "--tls" in options:
        pem = [str(folder / name) for name in ("cert.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-out", pem[0], "-keyout", pem[1]],
                       check=True, stderr=subprocess.DEVNULL)
        options[options.index("--tls") + 1:0] = pem
        os.environ["CLOUD_CA_FILE"] = pem[0]  # of the job, too
    pass_on = [name for name in os.environ if name.startswith(("DNN_", "CMAKE_", "CCACHE_", "CLOUD_CA_"))]
    (folder / "server").mkdir()
    command = [sys.executable, AZUREML / "contract_server.py", "--port", "0", "--env-file", folder / "env.sh", "--work-dir",
               folder / "server", *(f"--pass-env={name}" for name in pass_on), *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        base = server.stdout.readline().split()[-1]
        environment = dict(os.environ, CLOUD_ARM_URL=base, AZURE_TOKEN_CREDENTIALS="EnvironmentCredential")
        for line in (folder / "env.sh").read_text().splitlines():
            name, value = shlex.split(line)[1].split("=", 1)
            environment[name] = value
        context = None
        if "--tls" in options:
            context = ssl.create_default_context(cafile=pem[0])
        for wrong in ("CLOUD_WORKSPACE", "CLOUD_RUN_ID", "MLFLOW_TRACKING_URI"):
            environment.pop(wrong, None)
        work = folder / "user"
        work.mkdir()
        (work / "config.json").write_text(json.dumps({
            "subscription_id": environment["STANDIN_SUBSCRIPTION"], "resource_group": environment["STANDIN_RESOURCE_GROUP"],
            "workspace_name": environment["STANDIN_WORKSPACE"]}))
        examples = ROOT / "build/examples"
        with ProcessList() as processes:
            text, version = submit([examples / "submit_mnist", "--config", "config.json", "--source", ROOT, "--epochs",
                                    str(EPOCHS)], work, environment)
        check(version == 1, f"version 1, not {version}")
        check("\nWeb View: https://" in text, "a link to the run's page")
        run = re.search(r"^RunId: (\S+)$", text, re.M)[1]
        shown = subprocess.run([examples / "cloud_cli", "--json", "show", run], cwd=work, env=environment,
                               capture_output=True, text=True, check=True).stdout
        points = [point["value"] for point in json.loads(shown)["metrics"] if point["key"] == "Accuracy"]
        check(len(points) == EPOCHS, f"the metrics of the run: {points}")
        made = [file for file in (folder / "server").rglob("outputs/model.npz")]
        check(made and made[0].read_bytes() == (work / "model/model.npz").read_bytes(), "the file is the job's, byte for byte")
        read_model(work / "model/model.npz")
        for what in ("violations?severity=violation", "selfcheck"):
            with urllib.request.urlopen(f"{base}/__admin/{what}", context=context) as reply:
                found = json.load(reply)
            check(not any(found.values()), f"{what}: {found}")
        # The job's own files and its list of processes belong to the stand-in, which runs it.
        secrets = [environment["AZURE_CLIENT_SECRET"], "sig=", "Bearer ey", "eyJ"]
        no_secrets(secrets, [text, shown], [work])
        no_secrets(secrets, list(processes.seen), [])
    finally:
        server.terminate()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", choices=["local", "azure"])
    arguments, options = parser.parse_known_args()
    start = time.time()
    with tempfile.TemporaryDirectory(prefix="dnn-submit-") as scratch:
        local(pathlib.Path(scratch)) if arguments.where == "local" else azure(pathlib.Path(scratch), options)
    print(f"{arguments.where} {' '.join(options)}: all as it should be, {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
