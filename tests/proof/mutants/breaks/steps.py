"""S11: what was seen. S12: the journal. S13: one at a time."""

from __future__ import annotations

from tests.proof.mutants.breaks.table import Break

CHANGED = "test_apply.py::test_what_changed_since_the_plan_stays"

S11 = (
    Break(
        "what changed since the plan goes",
        "observe/recheck.py",
        "if fingerprint_of(content) == artifact.fingerprint:",
        "if True:",
        (CHANGED,),
    ),
    Break(
        "a file that was replaced is the same",
        "observe/tree.py",
        "(name, each.mode & _TYPE, each.ino, each.size, each.mtime) for name",
        "(name, each.mode & _TYPE, 0, each.size, each.mtime) for name",
        ("test_tree.py::test_a_fingerprint_tells_each_change",),
    ),
    Break(
        "a file that was written to is the same",
        "observe/tree.py",
        "(name, each.mode & _TYPE, each.ino, each.size, each.mtime) for name",
        "(name, each.mode & _TYPE, each.ino, each.size, 0) for name",
        ("test_tree.py::test_a_fingerprint_tells_each_change",),
    ),
    Break(
        "new folders without files are no change",
        "observe/tree.py",
        "        _note(seen, path, stat.S_IFMT(inner.entry.mode), inner.entry.ino)\n",
        "        _note(seen, path) if inner.files else None\n",
        ("test_tree.py::test_a_fingerprint_tells_each_change",),
    ),
    Break(
        "a link that names another run by now goes, too",
        "observe/recheck.py",
        "if not _names(moment.base, link, artifact.path):",
        "if False:",
        ("test_apply.py::test_a_newer_run_keeps_its_link",),
    ),
    Break(
        "what is remembered lets units go",
        "looking.py",
        "if memory.was_used and _takes(found):",
        "if False:",
        ("test_memory.py::test_a_file_that_grew_in_place_does_not_push_another_run_out",),
    ),
    Break(
        "what is remembered is believed, whatever came into it",
        "observe/remembered.py",
        "if status.st_ctime_ns != ctime or status.st_ino != ino:",
        "if False:",
        ("test_memory.py::test_a_run_with_a_folder_that_changed_is_read_again",),
    ),
    Break(
        "what was written a moment ago is remembered",
        "observe/remembered.py",
        "if whole.folders and not whole.troubled and age > SETTLED:",
        "if whole.folders and not whole.troubled:",
        ("test_memory.py::test_what_was_written_today_is_not_remembered",),
    ),
    Break(
        "what was read in part is remembered",
        "observe/remembered.py",
        "if whole.folders and not whole.troubled and age > SETTLED:",
        "if whole.folders and age > SETTLED:",
        ("test_memory.py::test_what_could_not_be_read_in_full_is_not_remembered",),
    ),
    Break(
        "it is remembered for good",
        "observe/remembered.py",
        "LASTS = 7 * DAY",
        "LASTS = 7000 * DAY",
        ("test_memory.py::test_it_lasts_a_week",),
    ),
    Break(
        "what would go need not be what the first look saw",
        "observe/survey.py",
        "same = top in now and as_text(now[top]) == as_text(self.seen.wholes[top])",
        "same = top in now",
        ("test_memory.py::test_what_changes_while_it_is_looked_at_stays",),
    ),
    Break(
        "what arrived in the trash need not be what was looked at",
        "apply/trash.py",
        "    if move.is_of(status):\n        return\n    why =",
        "    if True:\n        return\n    why =",
        (
            "test_slim.py::test_one_that_was_exchanged_in_the_middle_stops_the_rest",
            "test_apply.py",
        ),
    ),
    Break(
        "an archive that was exchanged since the plan expires",
        "expiring.py",
        "if fingerprint_of(entry) != stored.archive.fingerprint:",
        "if False:",
        ("test_expire.py::test_what_changes_after_the_plan_stays",),
    ),
    Break(
        "what changed in the trash is purged",
        "execution.py",
        "if fingerprint_of(content) != trashed.fingerprint:",
        "if False:",
        ("test_undo.py::test_what_was_changed_in_the_trash_is_not_purged",),
    ),
    Break(
        ".gitignore is written over what somebody edited meanwhile",
        "apply/gitignore.py",
        "            if not _is(before, fresh):",
        "            if False:",
        ("test_gitignore_steps.py::test_who_edits_it_meanwhile_loses_nothing",),
    ),
)

KILLED = "proof/test_kills.py::test_nothing_is_lost_by_a_kill"

S12 = (
    Break(
        "a step's renames are not journalled before",
        "journal/steps.py",
        "    note_moves(db, number, intent.moves)\n",
        "",
        ("test_undo.py::test_a_run_comes_back_to_the_nanosecond", f"{KILLED}[trash]"),
    ),
    Break(
        "how a step came out is not journalled after",
        "execution.py",
        "self.place.journal.settle(part.number, state, outcome.why, now, moves)",
        "pass",
        ("test_undo.py::test_a_run_comes_back_to_the_nanosecond",),
    ),
    Break(
        "nobody looks after a killed sweep",
        "recovery.py",
        "if not sweep.ended and state.is_dead(sweep.id):",
        "if False:",
        (f"{KILLED}[trash]",),
    ),
    Break(
        "a sweep that lives is taken for a dead one",
        "state.py",
        "            return False  # it is held, or nobody can tell",
        "            return True",
        ("test_locks.py::test_a_sweep_that_lives_is_not_taken_for_a_dead_one",),
    ),
    Break(
        "a unit whose links did not follow it is left in the trash",
        "recovery.py",
        "        if trash.holds(ground, moves):\n            trash.put_back(ground, moves)",
        "        pass",
        (f"{KILLED}[trash]",),
    ),
    Break(
        "an interrupted undo is left half done",
        "recovery.py",
        'elif step.do == "undo" and step.state in ("intended", "done"):',
        "elif False:",
        (f"{KILLED}[undo]",),
    ),
    Break(
        "what a killed restore unpacked stays",
        "recovery.py",
        'elif step.do == "restore" and step.state == "intended":',
        "elif False:",
        (f"{KILLED}[restore]",),
    ),
    Break(
        "what a killed purge took out of the trash stays for good",
        "recovery.py",
        "return [*found, *trash.finish_purges(ground, ground.states)]",
        "return found",
        (f"{KILLED}[purge]",),
    ),
    Break(
        "an archive of no use stays for good",
        "tidying.py",
        "    for found in place.journal.archives.in_vain():\n",
        "    for found in list[Archived]():\n",
        ("test_tidying.py::test_an_archive_of_no_use[named]",),
    ),
    Break(
        "an archive of no use goes, and it is all there is left",
        "tidying.py",
        "if place.ground.is_at(found.path, found.ino):  # else",
        "if True:  # else",
        ("test_tidying.py::test_an_archive_of_no_use_is_kept_where_its_source_is_gone",),
    ),
    Break(
        "what somebody wrote to is tidied away",
        "tidying.py",
        "    return compress.marks(place.ground.stat(part)) == looked\n",
        "    return True\n",
        ("test_tidying.py::test_what_somebody_wrote_to_since_stays[.janitor/compressing/*/*]",),
    ),
    Break(
        "an archive goes that is all there is left",
        "recovery.py",
        "if found and gone and _indexed(place, found, now):",
        "if False:",
        ("proof/test_kills.py::test_an_archive_whose_source_left_is_kept",),
    ),
    Break(
        "half a publication is left",
        "recovery.py",
        "    yield from _settle_publications(place, sweep, now)\n",
        "",
        (f"{KILLED}[publish over]",),
    ),
    Break(
        "a compressed log that was for nothing stays",
        "recovery.py",
        "    yield from compressed.recover(place, sweep, now)\n",
        "",
        (f"{KILLED}[compress]",),
    ),
    Break(
        "nobody asks whether .gitignore was written",
        "recovery.py",
        "    yield from gitignored.recover(place, sweep, now)\n",
        "",
        (f"{KILLED}[gitignore]",),
    ),
    Break(
        "what came back by a killed undo isn't pinned",
        "recovery.py",
        "    if step.about is not None:\n        journal.pin(Pin(step.path, BY_UNDO, now))\n",
        "    if step.about is not None:\n",
        (f"{KILLED}[undo]",),
    ),
    Break(
        "what is printed may be written into the journal",
        "cli/main.py",
        '    """The entry point. ``--version`` answers before anything heavy is imported."""\n'
        "    _open_standard()\n",
        '    """The entry point."""\n',
        ("test_cli_contract.py::test_a_closed_stream_is_no_place_to_write_to",),
    ),
)

S13 = (
    Break(
        "nobody takes a lock",
        "state.py",
        "            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n        except",
        "            return None\n        except",
        ("test_locks.py::test_a_held_lock_is_waited_for_and_then_named",),
    ),
    Break(
        "renames need no lock",
        "execution.py",
        "            with self.place.state.step():\n                if step.trashed:",
        "            if True:\n                if step.trashed:",
        ("test_locks.py::test_a_lock_taken_in_mid_sweep_ends_the_sweep_with_5",),
    ),
    Break(
        "the handover takes the lock of retention",
        "state.py",
        "with self._locked(HANDOVER):",
        'with self._locked("lock"):',
        ("test_retrain.py::test_from_a_study_to_a_model_and_back",),
    ),
    Break(
        "the handover takes no lock",
        "handing_over.py",
        "            with self.place.state.handover():\n                self.settle()\n"
        "                for step in steps:",
        "            if True:\n                self.settle()\n                for step in steps:",
        ("test_retrain.py::test_one_janitor_at_a_time_hands_over",),
    ),
    Break(
        "an archive is written under the lock",
        "archiving.py",
        "made = store.write(archives, self._order(step, name, now), ground, tick)",
        "with self.place.state.step():\n"
        "            made = store.write(archives, self._order(step, name, now), ground, tick)",
        ("test_archives.py::test_a_pin_while_it_is_archived_counts",),
    ),
    Break(
        "a pin that is made in mid-sweep doesn't count",
        "execution.py",
        "if self.place.journal.is_pinned(path):",
        "if False:",
        ("test_apply.py::test_a_pin_made_in_mid_sweep_counts",),
    ),
    Break(
        "a pin inside a unit that is made in mid-sweep doesn't count",
        "journal/__init__.py",
        "WHERE path IN ({marks}) OR path > ? AND path < ? LIMIT 1",
        "WHERE path IN ({marks}) OR path > ? AND path < ? AND 0 LIMIT 1",
        ("test_apply.py::test_a_pin_made_in_mid_sweep_counts",),
    ),
    Break(
        "a pinned model gives way to a new one",
        "publishing.py",
        "        if is_within(path, pin.path) and not own:",
        "        if False:",
        ("test_publish.py::test_a_pinned_model_stays_and_a_new_one_is_no_danger_to_it",),
    ),
    Break(
        "two daemons watch one workspace",
        "state.py",
        "            _acquire(fd, MOMENT, path)",
        "            pass",
        ("test_locks.py::test_a_second_daemon_is_told_who_watches",),
    ),
    Break(
        "a key is trained twice",
        "handing_over.py",
        "if last and (last.is_active or last.attempt >= training.attempt):",
        "if False:",
        (
            "test_retrain.py::test_two_janitors_at_once_train_once",
            "test_retrain.py::test_what_another_janitor_did_meanwhile_is_left_alone",
        ),
    ),
    Break(
        "two runs archive one unit twice",
        "archiving.py",
        "if found and gone and not self._is_archived_besides(found):",
        "if found and gone:",
        ("test_archive_stores.py::test_two_janitors_that_archive_at_once_make_one_archive",),
    ),
    Break(
        "who makes the journal waits for nobody",
        "journal/file.py",
        "error.sqlite_errorcode != sqlite3.SQLITE_BUSY or",
        "True or",
        ("test_locks.py::test_who_makes_the_journal_waits_for_whoever_makes_it_just_now",),
    ),
    Break(
        "a journal that is just made is called gone",
        "rebuild/__init__.py",
        "    return is_empty(site.state.journal)  # still",
        "    return True  # still",
        ("test_locks.py::test_a_journal_that_is_made_just_now_is_not_gone",),
    ),
)
