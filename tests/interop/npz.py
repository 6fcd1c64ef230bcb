#!/usr/bin/env python3
"""npz files between this library, NumPy and Chainer, both ways.

    npz.py PROGRAM

PROGRAM is the built interop_npz. Needs NumPy; the parts that need Chainer 7 say so and count as failures when it is not
there, unless --without-chainer is given. With DNN_CHAINER_DATA set, Chainer's own files are copied and compared too.
"""
import argparse
import glob
import os
import subprocess
import sys
import tempfile
import traceback
import zipfile

import numpy as np

PROGRAM = None
FOLDER = None
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def run(*arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)}: {done.stderr.strip()}")


def path(name):
    return os.path.join(FOLDER, name)


def load(name):
    with np.load(name, allow_pickle=True) as archive:
        return {key: archive[key] for key in archive.files}


def assert_same(got, expected):
    assert sorted(got) == sorted(expected), sorted(set(got) ^ set(expected))
    for key, value in expected.items():
        assert got[key].dtype == value.dtype and got[key].shape == value.shape, (key, got[key].dtype, got[key].shape)
        assert got[key].tobytes() == value.tobytes() if value.dtype != object else got[key] == value, key


def samples():
    base = np.arange(6).reshape(2, 3)
    dtypes = {name: name for name in "float32 float64 float16 int32 int64 uint8 bool".split()}
    dtypes["bfloat16"] = "float32"
    values = {f"dtype/{name}": base.astype(dtype) for name, dtype in dtypes.items()}
    values["shape/scalar"] = np.asarray(1.5)
    values["shape/vector"] = np.arange(7)
    values["shape/empty"] = np.zeros((3, 0, 2), np.float32)
    values["shape/eight"] = np.arange(8).reshape(1, 2, 1, 2, 1, 2, 1, 1)
    values["shape/large"] = np.arange(300_000, dtype=np.float32).reshape(300, 1000)
    values["none"] = np.asarray(None)
    values["text/json"] = np.asarray('[{"main/loss": 1.5}]')
    values["text/unicode"] = np.asarray("h\u00e9\u20ac\U0001f600")
    values["text/empty"] = np.asarray("")
    return values


@check
def numpy_reads_what_we_write():
    for mode in ("deflate", "store"):
        run("write", path("ours.npz"), mode)
        assert_same(load(path("ours.npz")), samples())
        with zipfile.ZipFile(path("ours.npz")) as archive:
            assert archive.testzip() is None
            methods = {member.compress_type for member in archive.infolist()}
            assert methods == {zipfile.ZIP_DEFLATED if mode == "deflate" else zipfile.ZIP_STORED}, methods


@check
def members_are_byte_for_byte_those_of_numpy():
    run("write", path("ours.npz"), "store")
    np.savez(path("theirs.npz"), **samples())
    with zipfile.ZipFile(path("ours.npz")) as ours, zipfile.ZipFile(path("theirs.npz")) as theirs:
        for name in theirs.namelist():
            # The padding of headers, and the pickle of None, changed with NumPy's versions.
            if np.__version__.startswith("1.24.") or not name.startswith("none"):
                assert ours.read(name) == theirs.read(name), name


@check
def we_read_what_numpy_writes():
    for name, save in (("a.npz", np.savez), ("b.npz", np.savez_compressed)):
        values = samples()
        save(path(name), **values)
        run("copy", path(name), path("copy.npz"))
        assert_same(load(path("copy.npz")), values)


@check
def unusual_arrays_are_converted():
    base = np.arange(24).reshape(2, 3, 4)
    stored, expected = {}, {}
    for name in "f2 f4 f8 i4 i8".split():
        for order in "CF":
            for endian in "<>":
                stored[f"{name}{order}{endian}"] = np.asarray(base.astype(endian + name), order=order)
                expected[f"{name}{order}{endian}"] = base.astype(name)
    for name, wide in (("i1", "i4"), ("i2", "i4"), ("u2", "i4"), ("u4", "i8"), ("u8", "i8")):
        stored[name] = base.astype(">" + name)
        expected[name] = base.astype(wide)
    stored["text"] = np.asarray("big endian \u00e9", ">U12")
    expected["text"] = np.asarray("big endian \u00e9")
    np.savez(path("unusual.npz"), **stored)
    run("copy", path("unusual.npz"), path("copy.npz"))
    assert_same(load(path("copy.npz")), expected)


@check
def zip64_archives_read():
    limits = zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT
    try:
        zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = 10, 2
        np.savez(path("zip64.npz"), **samples())
    finally:
        zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = limits
    with open(path("zip64.npz"), "rb") as file:
        assert b"PK\6\6" in file.read()
    run("copy", path("zip64.npz"), path("copy.npz"))
    assert_same(load(path("copy.npz")), samples())


@check
def chainers_own_files_copy_without_loss():
    data = os.environ.get("DNN_CHAINER_DATA")
    if not data:
        print("  DNN_CHAINER_DATA is not set: nothing compared")
        return
    found = sorted(glob.glob(os.path.join(data, "files", "*.npz")))
    assert found, f"no files in {data}/files"
    for name in found:
        run("copy", name, path("copy.npz"))
        assert_same(load(path("copy.npz")), load(name))


def chainer_model():
    import chainer
    import chainer.functions as F
    import chainer.links as L

    class Net(chainer.Chain):
        def __init__(self):
            super().__init__()
            with self.init_scope():
                self.l1 = L.Linear(None, 5)
                self.bn = L.BatchNormalization(5)

        def forward(self, x):
            return self.bn(F.tanh(self.l1(x)))

    model = L.Classifier(Net())
    optimizer = chainer.optimizers.Adam().setup(model)
    return model, optimizer


def training_data():
    random = np.random.RandomState(0)
    return {"x": random.rand(6, 4).astype(np.float32), "t": random.randint(0, 5, 6).astype(np.int32)}


def train(model, optimizer, updates=3):
    data = training_data()
    for _ in range(updates):
        optimizer.update(model, data["x"], data["t"])


def chainer_state(target):
    import chainer

    serializer = chainer.serializers.DictionarySerializer()
    target.serialize(serializer)
    return serializer.target


@check
def chainer_loads_models_and_optimizers_that_we_write():
    from chainer import serializers

    model, optimizer = chainer_model()
    train(model, optimizer)
    for mode in (True, False):
        for name, target in (("model.npz", model), ("optimizer.npz", optimizer)):
            serializers.save_npz(path(name), target, compression=mode)
            run("copy", path(name), path("our_" + name))
        again, optimizer_again = chainer_model()
        serializers.load_npz(path("our_model.npz"), again)
        serializers.load_npz(path("our_optimizer.npz"), optimizer_again)
        assert_same(chainer_state(again), chainer_state(model))
        train(model, optimizer)
        train(again, optimizer_again)
        assert_same(chainer_state(again), chainer_state(model))
        assert_same(chainer_state(optimizer_again), chainer_state(optimizer))


@check
def chainer_and_we_go_on_alike_from_files_of_either():
    import chainer
    from chainer import serializers

    np.savez(path("data.npz"), **training_data())
    run("train", path("data.npz"), path("our_model.npz"), path("our_optimizer.npz"))
    model, optimizer = chainer_model()
    train(model, optimizer)
    serializers.save_npz(path("their_model.npz"), model)
    serializers.save_npz(path("their_optimizer.npz"), optimizer)
    for side in ("our", "their"):
        files = path(f"{side}_model.npz"), path(f"{side}_optimizer.npz")
        run("resume", path("data.npz"), *files, path("resumed.npz"))
        model, optimizer = chainer_model()
        serializers.load_npz(files[0], model)
        serializers.load_npz(files[1], optimizer)
        with chainer.using_config("train", False):
            expected = {"y": model.predictor(training_data()["x"]).array}
        train(model, optimizer, 1)
        expected.update(chainer_state(model))
        got = load(path("resumed.npz"))
        assert sorted(got) == sorted(expected)
        for key, value in expected.items():
            np.testing.assert_allclose(got[key], value, rtol=1e-4, atol=1e-5, err_msg=f"{side} {key}")


@check
def chainer_loads_none():
    from chainer import serializers

    model, optimizer = chainer_model()
    serializers.save_npz(path("fresh.npz"), model)
    run("copy", path("fresh.npz"), path("our_fresh.npz"))
    target, optimizer = chainer_model()
    serializers.load_npz(path("our_fresh.npz"), target)
    assert target.predictor.l1.W.array is None
    train(target, optimizer)
    kept = target.predictor.l1.W.array.copy()
    serializers.load_npz(path("our_fresh.npz"), target)
    assert (target.predictor.l1.W.array == kept).all()


@check
def chainer_resumes_from_snapshots_that_we_write():
    import chainer
    from chainer import training
    from chainer.training import extensions

    def trainer():
        random = np.random.RandomState(1)
        data = chainer.datasets.TupleDataset(
            random.rand(10, 4).astype(np.float32), random.randint(0, 5, 10).astype(np.int32)
        )
        model, optimizer = chainer_model()
        iterator = chainer.iterators.SerialIterator(data, 3, shuffle=False)
        made = training.Trainer(training.StandardUpdater(iterator, optimizer), (4, "epoch"), out=FOLDER)
        made.extend(extensions.LogReport())
        made.extend(extensions.snapshot(filename="snapshot_{.updater.epoch}"), trigger=(2, "epoch"))
        return made, model

    whole, expected = trainer()
    whole.run()
    run("copy", path("snapshot_2"), path("our_snapshot"))
    resumed, model = trainer()
    chainer.serializers.load_npz(path("our_snapshot"), resumed)
    resumed.run()
    assert_same(chainer_state(model), chainer_state(expected))
    assert len(resumed.get_extension("LogReport").log) == 4


def main():
    global PROGRAM, FOLDER
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--without-chainer", action="store_true")
    arguments = parser.parse_args()
    PROGRAM = os.path.abspath(arguments.program)
    passed = failed = 0
    for function in CHECKS:
        if arguments.without_chainer and function.__name__.startswith("chainer_"):
            print(f"left out: {function.__name__}")
            continue
        with tempfile.TemporaryDirectory() as FOLDER:
            try:
                function()
                passed += 1
                print(f"passed: {function.__name__}")
            except Exception:
                failed += 1
                traceback.print_exc()
                print(f"FAILED: {function.__name__}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
