"""S3: what is not uploaded stays. S4: what protects a part protects the whole."""

from __future__ import annotations

from tests.proof.mutants.breaks.table import Break

S3 = (
    Break(
        "a run without an exit record is uploaded",
        "observe/wandb.py",
        "    if ending.exit_code is None:",
        "    if False:",
        ("test_wandb.py::test_what_did_not_arrive_is_unsynced[killed-0]",),
    ),
    Break(
        "a damaged transaction log is whole",
        "observe/wandb.py",
        "    if ending.damage:",
        "    if False:",
        ("test_wandb.py::test_damage_is_said_with_its_place",),
    ),
    Break(
        "files that are missing in the upload don't count",
        "observe/wandb.py",
        "    if attempt.files < count:",
        "    if False:",
        ("test_wandb.py::test_what_did_not_arrive_is_unsynced[online_ignored-0]",),
    ),
    Break(
        "files that changed after the upload don't count",
        "observe/wandb.py",
        "if attempt.ended is None or attempt.ended.timestamp() * 1e9 < newest:",
        "if False:",
        ("test_wandb.py::test_a_file_that_came_after_the_upload_is_not_in_it",),
    ),
    Break(
        "a sync before the last write is one",
        "observe/wandb.py",
        "    if marker.mtime < written:",
        "    if False:",
        ("test_wandb.py::test_what_did_not_arrive_is_unsynced[synced_in_mid_run-0]",),
    ),
    Break(
        "a sync that began before the last write is one",
        "observe/wandb.py",
        "if sync.began is None or sync.began.timestamp() * 1e9 < written:",
        "if False:",
        ("test_wandb.py::test_a_sync_that_began_before_the_last_write_is_none",),
    ),
    Break(
        "the marker alone is proof",
        "observe/wandb.py",
        '            return Evidence("uploaded", f"synced on {sync.began:%Y-%m-%d} after its last '
        'write")\n    return _unsynced(folder, why)',
        '            return Evidence("uploaded", f"synced on {sync.began:%Y-%m-%d} after its last '
        'write")\n    return Evidence("uploaded", why)',
        ("test_wandb.py::test_what_did_not_arrive_is_unsynced[sync_refused-0]",),
    ),
    Break(
        "a sync that was cut off is one",
        "observe/wandb.py",
        "if not sync.read_to_end or sync.exit_code != exit_code:",
        "if False:",
        ("test_wandb.py::test_other_wording_is_unsynced",),
    ),
    Break(
        "of two transaction logs the first counts",
        "observe/wandb.py",
        "    if len(names) != 1:",
        "    if not names:",
        ("test_wandb.py::test_a_second_log_in_the_folder_is_unknown_layout",),
    ),
    Break(
        "a request is an upload, whatever the server answered",
        "observe/wandb_uploads.py",
        'elif message == "filestream: request sent" and line.get("status") == "200 OK":',
        'elif message == "filestream: request sent":',
        ("test_wandb.py::test_other_wording_is_unsynced",),
    ),
    Break(
        "a refused file is no trouble",
        "observe/wandb_uploads.py",
        "            self.trouble = self.trouble or _trouble(line)",
        "            pass",
        ("test_wandb.py::test_what_did_not_arrive_is_unsynced",),
    ),
    Break(
        "what can't be read was uploaded",
        "observe/wandb.py",
        'return _unsynced(folder, f"its logs can\'t be read: {error.strerror or error}")',
        'return Evidence("uploaded", f"its logs can\'t be read: {error}")',
        (
            "test_wandb.py::test_a_file_that_goes_while_we_look_is_unsynced",
            "test_wandb.py::test_odd_files_are_unsynced_and_no_exception",
        ),
    ),
    Break(
        "the unit around an unsynced run may be trashed",
        "core/protection.py",
        "                for around in [*catalogue.up_from(artifact)][1:]:\n"
        "                    found[around]",
        "                for around in ():\n                    found[around]",
        ("core/test_plan.py",),
    ),
    Break(
        "what may only be archived is trashed",
        "core/plan.py",
        "do = ARCHIVE if lost or any(",
        "do = ARCHIVE if any(",
        ("core/test_plan.py",),
    ),
    Break(
        "a run that is slimmed loses what is not uploaded in it",
        "core/limits.py",
        "if slims(verdicts[path]) or not may_be_archived(catalogue.by_path[path])",
        "if not may_be_archived(catalogue.by_path[path])",
        ("core/test_plan.py", "core/test_slimming.py"),
    ),
    Break(
        "a person's word holds for younger runs, too",
        "core/protection.py",
        "if day and local(artifact.time // 10**9).date() < day:",
        "if day:",
        ("core/test_limits.py",),
    ),
)

RISES = ("core/test_protection.py",)

S4 = (
    Break(
        "nothing inside protects the unit around it",
        "core/protection.py",
        "for around in [*catalogue.up_from(artifact)][1:] if rising else ():",
        "for around in ():",
        RISES,
    ),
    Break(
        "only the next unit around is protected",
        "core/protection.py",
        "for around in [*catalogue.up_from(artifact)][1:] if rising else ():",
        "for around in [*catalogue.up_from(artifact)][1:2] if rising else ():",
        RISES,
    ),
    Break(
        "all protections descend",
        "core/protection.py",
        '        if evidence.fact == "live"\n',
        "        if evidence.fact\n",
        RISES,
    ),
    Break(
        "life doesn't reach the parts of what lives",
        "core/protection.py",
        "for path, evidence in _descended(catalogue, found):",
        "for path, evidence in ():",
        RISES,
    ),
    Break(
        "a pin covers its own path alone",
        "core/protection.py",
        "        for path in upward(artifact.path):\n",
        "        for path in (artifact.path,):\n",
        RISES,
    ),
    Break(
        "a pin inside holds nothing around it",
        "core/protection.py",
        "if path in catalogue.by_path and path != pin.path:",
        "if False:",
        RISES,
    ),
    Break(
        "what stays when a run is thinned keeps the whole run",
        "core/protection.py",
        "rising = [each for each in mine if each.fact != STAYS_WHEN_THINNED]",
        "rising = [*mine]",
        RISES,
    ),
)
