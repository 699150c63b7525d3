"""What `meson install` puts in place is enough to build on: an example, shared and static.

Arguments: meson, the build directory, the repository, the C compiler, then its sanitizer options.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

MESON, BUILD, ROOT, COMPILER = sys.argv[1:5]
SANITIZE = sys.argv[5:]
SOURCE = pathlib.Path(ROOT) / "docs" / "examples" / "train.c"


def run(*arguments, **more):
    done = subprocess.run([str(argument) for argument in arguments], text=True,
                          capture_output=True, timeout=300, **more)
    assert done.returncode == 0, f"{arguments}: {done.returncode}: {done.stderr}{done.stdout}"
    return done.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)
        cls.root = pathlib.Path(cls.holder.name) / "root"
        # Without the pages that the tool writes: this test is of the library.
        run(MESON, "install", "-C", BUILD, "--no-rebuild", "--quiet", "--tags", "runtime,devel",
            "--destdir", cls.root)
        found = list(cls.root.rglob("lcal.pc"))
        assert len(found) == 1, found
        cls.libraries = found[0].parent.parent
        # Where it lies now; a sysroot would be that of the libraries below, too.
        found[0].write_text(found[0].read_text().replace("prefix=/", f"prefix={cls.root}/", 1))
        cls.environment = dict(os.environ, PKG_CONFIG_PATH=str(found[0].parent))

    def flags(self, *arguments):
        return run("pkg-config", *arguments, "lcal", env=self.environment).split()

    def build_and_use(self, name, *flags):
        program = pathlib.Path(self.holder.name) / name
        run(COMPILER, "-std=c11", *SANITIZE, SOURCE, *flags, "-lm", "-o", program)
        environment = dict(os.environ, LD_LIBRARY_PATH=str(self.libraries))
        done = subprocess.run([program, "x.h5", "valid.jsonl", "model=no-such-model"], text=True,
                              capture_output=True, env=environment)
        self.assertEqual(done.returncode, 1)
        self.assertIn("key model: expected an existing directory", done.stderr)
        return program

    def test_headers(self):
        installed = {path.name for path in self.root.rglob("include/lcal/*.h")}
        here = {path.name for path in (pathlib.Path(ROOT) / "include" / "lcal").glob("*.h")}
        self.assertEqual(installed, here | {"version.h"})

    def test_shared(self):
        program = self.build_and_use("shared", *self.flags("--cflags", "--libs"))
        self.assertIn("liblcal.so.0", run("readelf", "-d", program))

    def test_static(self):
        flags = self.flags("--static", "--cflags", "--libs")
        at = flags.index("-llcal")
        flags[at:at + 1] = ["-Wl,-Bstatic", "-llcal", "-Wl,-Bdynamic"]
        program = self.build_and_use("static", *flags)
        self.assertNotIn("liblcal", run("readelf", "-d", program))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
