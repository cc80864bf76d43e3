"""S9: what is new is proven before what is old goes. S10: all comes back."""

from __future__ import annotations

from tests.proof.mutants.breaks.table import Break

MEANWHILE = "test_archive_damage.py::test_a_source_that_changes_gets_no_archive"

S9 = (
    Break(
        "an archive is not read back",
        "apply/archive/store.py",
        '        read = check(files, lambda size: tick("reading back", size))\n'
        "        if read.digest != whole:\n"
        '            raise ArchiveError("its manifest is another one")\n',
        "        assert files\n",
        ("test_archive_damage.py::test_a_flipped_bit_is_found_before_it_gets_its_name",),
    ),
    Break(
        "the manifest that is read back may be another one",
        "apply/archive/store.py",
        "        if read.digest != whole:",
        "        if False:",
        ("test_archive_damage.py::test_a_manifest_that_reads_otherwise_is_found_too",),
    ),
    Break(
        "a run that changes while it is archived goes",
        "apply/archive/store.py",
        "        _must_be_unchanged(ground, order.paths, seen, tick)\n",
        "",
        (MEANWHILE,),
    ),
    Break(
        "a file that changes while it is read goes",
        "apply/archive/pack.py",
        "if source.marks(os.fstat(fd)) != source.marks(status):",
        "if False:",
        (MEANWHILE,),
    ),
    Break(
        "digests of contents are not compared",
        "apply/archive/check.py",
        "if digest.hexdigest() != member.sha256:",
        "if False:",
        ("test_archive_damage.py::test_a_manifest_that_tells_otherwise_is_found",),
    ),
    Break(
        "names and modes are not compared",
        "apply/archive/check.py",
        "    if found != known:",
        "    if False:",
        ("test_archive_damage.py::test_a_manifest_that_tells_otherwise_is_found",),
    ),
    Break(
        "the archive need not be the file that its manifest was written for",
        "apply/archive/check.py",
        "    if end is None or found != (",
        "    if end is None or found == (",
        ("test_archive_format.py::test_all_of_a_run_comes_back",),
    ),
    Break(
        "an archive may go on after its end",
        "apply/archive/check.py",
        "        if tar.next_member(stream) is not None:\n"
        '            raise ArchiveError("the archive holds more than its manifest names")\n'
        "        stream.must_end()\n",
        "",
        ("test_archive_damage.py",),
    ),
    Break(
        "the list of digests may say anything",
        "apply/archive/check.py",
        "            if files.sums.read(len(line)) != line:",
        "            if files.sums.read(len(line)) is None:",
        ("test_archive_damage.py",),
    ),
    Break(
        "the last line of a manifest need not fit the others",
        "apply/archive/manifest.py",
        "if self.end.lines_sha256 != before.hexdigest():",
        "if False:",
        ("test_archive_damage.py::test_a_bit_that_flips_later_in_the_reasons_is_found",),
    ),
    Break(
        "an archive that was exchanged is the one we made",
        "restoring.py",
        "if kept.index and kept.index.digest != digest:",
        "if False:",
        ("test_archives.py::test_an_archive_that_was_exchanged_is_not_the_one_we_made",),
    ),
    Break(
        "nobody looks for room before writing",
        "apply/archive/store.py",
        "    if expected > free:",
        "    if False:",
        ("test_archive_damage.py::test_space_is_looked_for_first",),
    ),
    Break(
        "an empty folder where a disk was is the store",
        "apply/archive/store.py",
        "if not self._own and self.place.is_dir() and not os.path.lexists(self.place / NOTE):",
        "if False:",
        (
            "test_archive_stores.py::test_a_disk_that_is_not_mounted_is_not_taken_for_an_empty_store",
        ),
    ),
    Break(
        "the archive is thrown away although its source is gone",
        "archiving.py",
        "gone = found and found.digest and not self.place.ground.is_at(found.path, found.ino)",
        "gone = False",
        ("test_archives.py::test_a_run_goes_and_comes_back_from_its_archive",),
    ),
    Break(
        "a compressed log is not read back",
        "apply/compress.py",
        "            _must_be(fd, source, digest, tick)\n",
        "",
        ("test_compress.py::test_what_is_not_read_back_as_it_was_is_thrown_away",),
    ),
    Break(
        "a log that changes while it is compressed goes",
        "apply/compress.py",
        "            source.must_be_unchanged()\n",
        "",
        ("test_compress.py::test_what_happens_meanwhile_leaves_all_as_it_is",),
    ),
    Break(
        "the compressed log is thrown away although the log is gone",
        "compressing.py",
        "if made and not is_home(self.place.ground, begun.path, begun.fingerprint):",
        "if False:",
        ("test_compress.py::test_rotated_logs_are_compressed_and_the_one_in_use_is_not",),
    ),
    Break(
        "the copy of a model is not read back",
        "apply/copies.py",
        "                if digest_of(fd) != digest:",
        "                if False:",
        ("test_publish.py::test_a_disk_that_does_not_keep_what_it_was_given_is_noticed",),
    ),
    Break(
        "a model that is written to while it is copied is published",
        "apply/copies.py",
        "if _marks(os.fstat(source)) != _marks(before):",
        "if False:",
        ("test_publish.py::test_a_source_that_is_written_to_meanwhile_waits",),
    ),
)

BACK = "test_archive_format.py::test_all_of_a_run_comes_back"

S10 = (
    Break(
        "a rename goes over what is there",
        "apply/ground.py",
        "code = _renameat2(source, target, _NOREPLACE)",
        "code = _renameat2(source, target, 0)",
        ("test_apply.py::test_what_lies_in_the_way_is_never_overwritten",),
    ),
    Break(
        "the trash is purged at once",
        "core/plan.py",
        "due = [each for each in in_order if now - each.at >= safety.trash_keep]",
        "due = in_order",
        ("core/test_plan.py::test_the_trash_is_purged_after_its_time",),
    ),
    Break(
        "undo leaves the times of the folder around as they are",
        "apply/trash.py",
        "            set_mtime(source[0], move.parent_before)",
        "            pass",
        ("test_undo.py::test_a_run_comes_back_to_the_nanosecond",),
    ),
    Break(
        "links that go with a run don't come back with it",
        "apply/trash.py",
        "        if move not in taken and ground.has(move.target):",
        "        if move not in links and ground.has(move.target):",
        ("test_undo.py::test_links_of_wandb_go_and_come_back_with_their_run",),
    ),
    Break(
        "a step that fails half-way leaves half in the trash",
        "apply/trash.py",
        "        if done:\n            put_back(ground, done)\n",
        "",
        ("test_apply.py::test_a_run_whose_link_cannot_follow_it_comes_back",),
    ),
    Break(
        "what undo brings back isn't pinned",
        "undo.py",
        '        journal.turn(step.id, "undone")\n'
        '        journal.pin(Pin(step.path, f"{BY_UNDO} {step.sweep}", clock.read().wall))\n'
        "        return retire",
        '        journal.turn(step.id, "undone")\n        return retire',
        ("test_undo.py::test_what_came_back_stays_until_it_is_unpinned",),
    ),
    Break(
        "what comes back from an archive isn't pinned",
        "restoring.py",
        "    asked = [path for path in paths if path not in before]\n",
        "    asked: list[str] = []\n",
        ("test_archives.py::test_a_run_goes_and_comes_back_from_its_archive",),
    ),
    Break(
        "what comes back elsewhere in a root is not pinned",
        "restoring.py",
        "        for name in place.ground.names_of(",
        "        for name in () and place.ground.names_of(",
        ("test_archives.py::test_elsewhere_in_a_root_it_is_pinned_too",),
    ),
    Break(
        "files come back without their mode",
        "apply/archive/extract.py",
        "        os.fchmod(fd, mode)\n",
        "",
        (BACK,),
    ),
    Break(
        "files come back without their times",
        "apply/archive/extract.py",
        "            self._dress(file, member)\n"
        "            os.utime(file, ns=(member.mtime_ns, member.mtime_ns))\n",
        "            self._dress(file, member)\n",
        (BACK,),
    ),
    Break(
        "folders come back without their times",
        "apply/archive/extract.py",
        "                self._dress(fd, member)\n"
        "                os.utime(fd, ns=(member.mtime_ns, member.mtime_ns))\n",
        "                self._dress(fd, member)\n",
        (BACK,),
    ),
    Break(
        "times come back to the second",
        "apply/archive/tar.py",
        '    if rest or not 0 <= seconds < 8**11:\n        yield b"mtime", _decimal',
        '    if not 0 <= seconds < 8**11:\n        yield b"mtime", _decimal',
        (BACK,),
    ),
    Break(
        "files come back without their attributes",
        "apply/archive/extract.py",
        "        for name, value in member.xattrs:\n",
        "        for name, value in ():\n",
        (BACK,),
    ),
    Break(
        "hard links come back as copies",
        "apply/archive/pack.py",
        "        if inode in self._firsts:",
        "        if False:",
        (BACK,),
    ),
    Break(
        "holes come back full of zeros",
        "apply/archive/source.py",
        "    if status.st_blocks * 512 >= status.st_size:",
        "    if True:",
        ("test_archive_format.py::test_holes_stay_holes_in_the_archive",),
    ),
    Break(
        "a compressed log has another mode",
        "apply/compress.py",
        "    os.fchmod(fd, stat.S_IMODE(old.st_mode))\n",
        "",
        ("test_compress.py::test_rotated_logs_are_compressed_and_the_one_in_use_is_not",),
    ),
    Break(
        "a compressed log has other times",
        "apply/compress.py",
        "    os.utime(fd, ns=(old.st_atime_ns, old.st_mtime_ns))\n",
        "",
        ("test_compress.py::test_rotated_logs_are_compressed_and_the_one_in_use_is_not",),
    ),
    Break(
        ".gitignore has another mode",
        "apply/gitignore.py",
        "    os.fchmod(fd, looks.mode)\n",
        "",
        ("test_gitignore_file.py",),
    ),
    Break(
        "an archive expires in spite of a pin",
        "core/expiry.py",
        "    for pin in catalogue.pins:\n",
        "    for pin in ():\n",
        ("core/test_expiry.py",),
    ),
    Break(
        "an archive expires in spite of what its manifest tells",
        "core/expiry.py",
        "protections=tuple(each for each in evidence if each.fact not in IN_FAVOUR),",
        "protections=(),",
        ("core/test_expiry.py",),
    ),
    Break(
        "an archive expires in spite of what names its unit today",
        "observe/survey.py",
        "protections = (*stored.archive.protections, *dict.fromkeys(chain.from_iterable(found)))",
        "protections = stored.archive.protections",
        ("test_expire.py::test_what_keeps_an_archive",),
    ),
    Break(
        "an archive expires with the only copy of a model",
        "core/expiry.py",
        "if not file.digest or file.digest not in copies:",
        "if False:",
        ("core/test_expiry.py",),
    ),
    Break(
        "an archive expires with what was never uploaded",
        "core/expiry.py",
        "return (*unit.protections, *unsynced, *said)",
        "return unit.protections",
        ("core/test_expiry.py",),
    ),
    Break(
        "MLflow remembers a run whose artifacts were purged",
        "execution.py",
        'if trashed.kind == "mlflow-run":',
        "if False:",
        ("test_mlflow.py::test_the_record_goes_when_the_trash_is_purged",),
    ),
    Break(
        "a run that MLflow restored is purged",
        "apply/mlflow.py",
        "    if record.stage != DELETED:",
        "    if False:",
        ("test_mlflow.py::test_a_restored_run_is_not_purged",),
    ),
)
