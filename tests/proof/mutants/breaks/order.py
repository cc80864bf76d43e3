"""The order of durability: bytes, name, folder, journal, and only then what is old goes."""

from __future__ import annotations

from tests.proof.mutants.breaks.table import Break

SEEN = "proof/test_order.py::test_what_is_old_goes_when_what_is_new_is_durable"
ALSO = "proof/test_order.py::test_the_same_of_every_step"
_PUT = "            file.flush()\n            to_disk(file.fileno())\n"

ORDER = (
    Break(
        "no fsync of what is read back anywhere",
        "apply/ground.py",
        "    os.fsync(fd)\n    os.posix_fadvise",
        "    os.posix_fadvise",
        (f"{SEEN}[archive]",),
    ),
    Break(
        "what was written is read back out of memory",
        "apply/ground.py",
        "    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)\n",
        "",
        (f"{SEEN}[archive]",),
    ),
    Break(
        "no fsync of the archive",
        "apply/archive/store.py",
        _PUT,
        "            file.flush()\n            if file is not archive:\n"
        "                to_disk(file.fileno())\n",
        (f"{SEEN}[archive]",),
    ),
    Break(
        "no fsync of the manifest",
        "apply/archive/store.py",
        _PUT,
        "            file.flush()\n            if file is not manifest:\n"
        "                to_disk(file.fileno())\n",
        (f"{SEEN}[archive]",),
    ),
    Break(
        "no fsync of the list of digests",
        "apply/archive/store.py",
        _PUT,
        "            file.flush()\n            if file is not sums:\n"
        "                to_disk(file.fileno())\n",
        (f"{SEEN}[archive]",),
    ),
    Break(
        "no fsync of the store's folder",
        "apply/archive/store.py",
        "            rename((fd, name + suffix + PART), (fd, name + suffix))\n"
        "        try:\n            os.fsync(fd)\n",
        "            rename((fd, name + suffix + PART), (fd, name + suffix))\n"
        "        try:\n            pass\n",
        (f"{SEEN}[archive]",),
    ),
    Break(
        "an archive is written under its own name",
        "apply/archive/store.py",
        'PART = ".part"',
        'PART = ""',
        (f"{SEEN}[archive]",),
    ),
    Break(
        "the archive gets its name before what belongs to it",
        "apply/archive/store.py",
        "IN_ORDER = (SUMS, MANIFEST, ARCHIVE)",
        "IN_ORDER = (ARCHIVE, MANIFEST, SUMS)",
        (f"{SEEN}[archive]",),
    ),
    Break(
        "the source goes, and its archive is in no index",
        "archiving.py",
        "        journal.archives.index(number, made.bytes, made.members, made.digest,"
        " clock.read().wall)\n        return made\n",
        "        return made\n",
        (f"{SEEN}[archive]",),
    ),
    Break(
        "no fsync of what is restored",
        "apply/archive/extract.py",
        "        all_to_disk(into)\n",
        "",
        (f"{SEEN}[restore]",),
    ),
    Break(
        "no fsync of a compressed log before it is read back",
        "apply/compress.py",
        "            to_disk(fd)\n            _must_be(fd, source, digest, tick)\n",
        "            _must_be(fd, source, digest, tick)\n",
        (f"{SEEN}[compress]",),
    ),
    Break(
        "no fsync of the folder that a compressed log is in",
        "apply/compress.py",
        '            ground.sync([target.rpartition("/")[0]])\n',
        "            pass\n",
        (f"{SEEN}[compress]",),
    ),
    Break(
        "a compressed log gets its name before the journal knows of it",
        "compressing.py",
        "        self.place.journal.compressions.ready(number, looked, move)\n",
        "",
        ("proof/test_kills.py::test_nothing_is_lost_by_a_kill[compress]", "test_compress.py"),
    ),
    Break(
        "no fsync of a model",
        "apply/copies.py",
        "                to_disk(fd)\n",
        "",
        (f"{SEEN}[publish over]",),
    ),
    Break(
        "no fsync of a sidecar",
        "apply/copies.py",
        "                file.flush()\n                os.fsync(fd)\n",
        "                file.flush()\n",
        (f"{SEEN}[publish over]",),
    ),
    Break(
        "no fsync of the folders of a publication",
        "apply/publish.py",
        "            _to_trash(ground, change)\n        ground.sync(_folders(every))\n",
        "            _to_trash(ground, change)\n",
        (f"{SEEN}[publish over]",),
    ),
    Break(
        "the model gets its name before its sidecar",
        "apply/publish.py",
        "        for change in every:\n            _come(ground, change)\n            done",
        "        for change in reversed(every):\n            _come(ground, change)\n            done",
        (f"{SEEN}[publish over]",),
    ),
    Break(
        "a model is unlinked, and the new one comes then",
        "apply/publish.py",
        "    elif not _exchange(ground, fresh, old):\n",
        "    elif True:\n",
        (f"{SEEN}[publish over]",),
    ),
    Break(
        "no fsync of the folder that .gitignore is in",
        "apply/gitignore.py",
        '            ground.sync([""])\n',
        "            pass\n",
        (f"{SEEN}[gitignore]",),
    ),
    Break(
        ".gitignore is removed, and the new one comes then",
        "apply/gitignore.py",
        "        elif exchange(fresh, place):",
        "        elif os.unlink(place[1], dir_fd=place[0]) or exchange(fresh, place):",
        (f"{SEEN}[gitignore]",),
    ),
    Break(
        "no fsync of a job's copy of its study",
        "apply/retrain.py",
        "        os.fsync(fd)\n    finally:\n        os.close(fd)\n",
        "    finally:\n        os.close(fd)\n",
        ("proof/test_order.py::test_a_job_begins_when_all_of_it_is_durable",),
    ),
    Break(
        "no fsync of a job's request",
        "apply/retrain.py",
        "        file.flush()\n        os.fsync(file.fileno())\n",
        "        file.flush()\n",
        ("proof/test_order.py::test_a_job_begins_when_all_of_it_is_durable",),
    ),
    Break(
        "no fsync of a model that a job adopts",
        "apply/retrain.py",
        "        os.fsync(copy.fileno())\n",
        "        pass\n",
        ("proof/test_order.py::test_a_job_begins_when_all_of_it_is_durable",),
    ),
    Break(
        "no fsync of a job's folder before it is a job",
        "apply/retrain.py",
        "            _write(fd, EXIT, word)\n        os.fsync(fd)\n",
        "            _write(fd, EXIT, word)\n",
        ("proof/test_order.py::test_a_job_begins_when_all_of_it_is_durable",),
    ),
    Break(
        "no fsync of job.json",
        "executors/local.py",
        "        os.fsync(file.fileno())\n",
        "        pass\n",
        ("proof/test_order.py::test_a_job_begins_when_all_of_it_is_durable",),
    ),
    Break(
        "no fsync of a job's folder once it is a job",
        "executors/local.py",
        "        os.fsync(folder)\n",
        "        pass\n",
        ("proof/test_order.py::test_a_job_begins_when_all_of_it_is_durable",),
    ),
    Break(
        "the journal is synced by nobody",
        "journal/connection.py",
        "{'FULL' if durable else 'NORMAL'}",
        "{'OFF'}",
        (f"{SEEN}[archive]",),
    ),
    Break(
        "the journal is synced now and then",
        "journal/connection.py",
        "{'FULL' if durable else 'NORMAL'}",
        "{'NORMAL'}",
        (f"{SEEN}[archive]",),
    ),
    Break(
        "what is about to be tried need not be durable",
        "journal/__init__.py",
        "        with self._writing() as db:\n            keep(db, configs, bodies)\n",
        "        with self._writing(durable=False) as db:\n            keep(db, configs, bodies)\n",
        (f"{SEEN}[expire]",),
    ),
    Break(
        "a unit is removed before the journal says that it is purged",
        "execution.py",
        '        self.place.journal.turn(trashed.step, "purged")\n'
        "        trash.drop(self.place.ground, moves[1:])\n"
        "        return trash.remove(self.place.ground, gone, self._stop)\n",
        "        done = trash.remove(self.place.ground, gone, self._stop)\n"
        '        self.place.journal.turn(trashed.step, "purged")\n'
        "        trash.drop(self.place.ground, moves[1:])\n"
        "        return done\n",
        (f"{ALSO}[purge of expired]",),
    ),
    Break(
        "a sweep is over before its renames are durable",
        "workplace.py",
        "        self.ground.sync(self.journal.touched(sweep))\n",
        "",
        (f"{SEEN}[expire]",),
    ),
    Break(
        "the journal says that a sweep is over, and then its renames become durable",
        "workplace.py",
        "        self.ground.sync(self.journal.touched(sweep))\n"
        "        self.journal.end(sweep, clock.read().wall)\n",
        "        self.journal.end(sweep, clock.read().wall)\n"
        "        self.ground.sync(self.journal.touched(sweep))\n",
        (f"{SEEN}[expire]",),
    ),
    Break(
        "a sweep that is finished later is over before its renames are durable",
        "recovery.py",
        "    place.finish(sweep)\n",
        "    place.journal.end(sweep, now)\n",
        (f"{ALSO}[recovery of expire]",),
    ),
)
