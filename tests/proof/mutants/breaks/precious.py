"""S5: references. S6: the last copies. S7: what nobody knows."""

from __future__ import annotations

from tests.proof.mutants.breaks.table import Break

S5 = (
    Break(
        "what Git tracks protects nothing",
        "observe/references.py",
        "        for unit in index.around(path):\n",
        "        for unit in ():\n",
        (
            "test_references.py::test_a_tracked_file_keeps_its_run",
            "test_references.py::test_a_tracked_file_that_is_gone_keeps_its_run_too",
        ),
    ),
    Break(
        "repositories in folders around runs are not asked",
        "observe/survey.py",
        'tracked += [f"{folder}/{name}" for name in git.tracked(self.base / folder)]',
        "pass",
        ("test_references.py::test_a_repository_in_a_folder_around_the_run_counts_too",),
    ),
    Break(
        "symlinks protect nothing",
        "observe/references.py",
        "for link, target in names.links.items():",
        "for link, target in ():",
        ("test_references.py::test_a_link_to_it_keeps_it",),
    ),
    Break(
        "a link inside a run keeps it",
        "observe/references.py",
        "            if not is_within(source, unit):\n",
        "            if True:\n",
        (
            "test_references.py::test_a_link_inside_it_keeps_nothing",
            "test_references.py::test_a_link_in_another_run_keeps_it",
            "test_references.py::test_a_link_to_it_keeps_it",
        ),
    ),
    Break(
        "sidecars protect nothing",
        "observe/references.py",
        "    for path in sidecars:\n",
        "    for path in ():\n",
        ("test_references.py::test_a_sidecar_that_names_it_keeps_it",),
    ),
    Break(
        "W&B's ID in a sidecar protects nothing",
        "observe/references.py",
        "for path, run_id in self.run_ids.items():",
        "for path, run_id in ():",
        ("test_references.py::test_wandbs_run_id_in_a_sidecar",),
    ),
    Break(
        "configs that Git tracks protect nothing",
        "observe/references.py",
        "if os.path.splitext(path)[1] in CONFIGS and path not in sidecars:",
        "if False:",
        ("test_references.py::test_a_tracked_config_that_names_it_keeps_it",),
    ),
    Break(
        "a path counts only in full",
        "observe/references.py",
        "            found.update(around)\n",
        "            found.update({path} & self.units)\n",
        ("test_references.py::test_a_tracked_config_that_names_it_keeps_it",),
    ),
    Break(
        "names that JSON escapes are not read",
        "observe/references.py",
        'return "\\n".join([text, *(_plain(each) for each in _STRINGS.findall(text) if "\\\\" in each)])',
        "return text",
        ("test_references.py::test_a_name_that_json_escapes_is_found",),
    ),
    Break(
        "a Git that can't be asked tracks nothing",
        "observe/survey.py",
        'self.refusals.append(Refusal("git", why, "mend Git, then run again"))',
        "pass",
        (
            "test_references.py::test_a_damaged_index_holds_back",
            "test_references.py::test_git_that_is_missing_holds_back",
        ),
    ),
    Break(
        "models that MLflow registered protect nothing",
        "mlflow_records.py",
        'yield from named_by(texts, f"{who} names it")',
        "yield from ()",
        ("test_mlflow.py::test_a_registered_model_keeps_its_run",),
    ),
    Break(
        "MLflow's children protect nothing",
        "mlflow_records.py",
        "for parent, child in db.execute(query, (PARENT, DELETED, run_id)):",
        "for parent, child in ():",
        ("test_mlflow.py::test_a_parent_stays_as_long_as_a_child_does",),
    ),
)

RISES = ("core/test_protection.py",)

S6 = (
    Break(
        "the last copy of a model leaves the trash",
        "core/purging.py",
        "if each.held or copies.issuperset((file.bytes, file.digest) for file in each.models)",
        "if True",
        ("test_purge.py::test_a_model_whose_copies_are_gone_since_stays_in_the_trash",),
    ),
    Break(
        "models in the trash are forgotten",
        "observe/examine.py",
        "    sizes |= {file.bytes for each in trash for file in each.models}\n",
        "",
        ("test_purge.py::test_a_model_whose_copies_are_gone_since_stays_in_the_trash",),
    ),
    Break(
        "the best checkpoint of a run goes",
        "core/protection.py",
        'if each.role in ("best", "final"):',
        'if each.role == "final":',
        RISES,
    ),
    Break(
        "the final checkpoint of a run goes",
        "core/protection.py",
        'if each.role in ("best", "final"):',
        'if each.role == "best":',
        RISES,
    ),
    Break(
        "the newest checkpoint of a run goes",
        "core/protection.py",
        "        for order in (newest_first, furthest_first):\n",
        "        for order in ():\n",
        RISES,
    ),
    Break(
        "the newest by step goes, where another is newer by time",
        "core/protection.py",
        "        for order in (newest_first, furthest_first):\n",
        "        for order in (newest_first,):\n",
        RISES,
    ),
    Break(
        "the newest checkpoint may be a damaged one",
        "core/protection.py",
        'for known, why in (((True,), "newest valid"), ((True, None), "newest")):',
        'for known, why in (((True, None, False), "newest"),):',
        RISES,
    ),
    Break(
        "of a run whose checkpoints all look damaged some go",
        "core/protection.py",
        "if all(each.valid is False for each in checkpoints):",
        "if False:",
        RISES,
    ),
    Break(
        "what the trainer calls best is not asked for",
        "observe/checkpoints.py",
        "            yield from _all_best(parent, _trainer_best(base / one.path))",
        "            yield from ()",
        ("test_checkpoints.py",),
    ),
    Break(
        "a link called best says nothing",
        "observe/checkpoints.py",
        'if (role := modelnames.role(link)) in ("best", "final"):',
        "if role := None:",
        ("test_checkpoints.py::test_a_link_called_best_says_what_is_best",),
    ),
    Break(
        "the only copy of a model is trashed with its run",
        "core/limits.py",
        "for path, why in only_copies(copies, lost).items():",
        "for path, why in ():",
        ("core/test_plan.py::test_the_only_copy_of_a_model_is_archived_never_trashed",),
    ),
    Break(
        "copies are counted before others go",
        "core/protection.py",
        "        self._left -= leaving\n",
        "",
        ("core/test_protection.py::test_of_several_the_newest_keeps_it",),
    ),
    Break(
        "two copies in one run are copies elsewhere",
        "core/protection.py",
        'return file.digest == "" or copies[file.digest] <= leaving[file.digest]',
        'return file.digest == "" or copies[file.digest] <= 1',
        RISES,
    ),
    Break(
        "models that nobody could read are copies of each other",
        "core/protection.py",
        'return file.digest == "" or copies[file.digest] <= leaving[file.digest]',
        "return copies[file.digest] <= leaving[file.digest]",
        RISES,
    ),
    Break(
        "models of one size are copies of each other",
        "observe/examine.py",
        'return hashlib.file_digest(file, "sha256").hexdigest()',
        "return str(os.fstat(file.fileno()).st_size)",
        ("test_models.py::test_another_model_of_the_same_size_is_no_copy",),
    ),
)

S7 = (
    Break(
        "a folder that can't be read is empty",
        "observe/tree.py",
        "        except OSError as error:\n            folder.trouble = str(error.strerror)\n"
        "        folder.bytes",
        "        except OSError as error:\n            pass\n        folder.bytes",
        ("test_filesystems.py::test_a_unit_that_can_only_be_read_in_part_stays", "test_tree.py"),
    ),
    Break(
        "a folder that can't be entered is empty",
        "observe/tree.py",
        "        child.trouble = str(error.strerror)\n        return None",
        "        return None",
        ("test_filesystems.py::test_a_unit_that_can_only_be_read_in_part_stays",),
    ),
    Break(
        "what can't be read in full may go",
        "observe/measure.py",
        "        if folder.trouble:",
        "        if False:",
        ("test_filesystems.py::test_a_unit_that_can_only_be_read_in_part_stays",),
    ),
    Break(
        "what is dated in the future goes by age",
        "core/retention.py",
        "    if artifact.time > now:",
        "    if False:",
        ("core/test_retention_edges.py", "core/test_retention_table.py"),
    ),
    Break(
        "what is dated 1970 goes by age",
        "core/retention.py",
        "    if artifact.time < OLDEST:",
        "    if False:",
        ("core/test_retention_edges.py",),
    ),
    Break(
        "any folder with .hydra/hydra.yaml is a run of Hydra's",
        "observe/hydra.py",
        'return bool(_OUTPUT_DIR.search(head(f"{base}/{settings.path}/hydra.yaml", _LIMIT)))',
        "return True",
        ("test_filesystems.py::test_what_hydra_itself_did_not_mark_is_no_run",),
    ),
    Break(
        "any file called run-ID.wandb is a run of W&B's",
        "observe/wandb.py",
        "return any(head(base / folder.path / name, len(magic)) == magic for name in _logs(folder))",
        "return bool(_logs(folder))",
        ("test_wandb.py::test_the_header_is_the_proof_of_origin",),
    ),
    Break(
        "NaN is a measurement",
        "core/retention.py",
        "return value if value is not None and isfinite(value) else None",
        "return value",
        ("core/test_keep_best.py",),
    ),
    Break(
        "a run goes whose configuration can't be read",
        "execution.py",
        '        if is_within(run, path):\n            raise StepSkipped(f"its configuration',
        '        if False:\n            raise StepSkipped(f"its configuration',
        ("test_recall.py::test_a_run_whose_configuration_cannot_be_read_stays",),
    ),
    Break(
        "what changed while it was looked at may go",
        "observe/survey.py",
        "replace(each, protections=(*each.protections, changed))",
        "each",
        ("test_limits.py", "test_memory.py::test_what_changes_while_it_is_looked_at_stays"),
    ),
)
