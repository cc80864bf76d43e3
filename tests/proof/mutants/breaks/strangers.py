"""S14: model files are never unpickled, and names are untrusted."""

from __future__ import annotations

from tests.proof.mutants.breaks.table import Break

PICKLES = "test_trained.py::test_a_pickle_that_torch_would_not_load_is_refused"

HOSTILE = "test_archive_damage.py::test_hostile_archives_write_nothing_outside"

S14 = (
    Break(
        "a checkpoint is unpickled to read its step",
        "observe/modelfile.py",
        "    yield from _constants(pickled)\n",
        "    import pickle\n\n    pickle.loads(pickled)\n    yield from _constants(pickled)\n",
        ("test_modelfile.py::test_nothing_is_unpickled",),
    ),
    Break(
        "a pickle may name anything",
        "observe/opcodes.py",
        'if not is_allowed(f"{module}.{name}"):',
        "if False:",
        (PICKLES, "test_trained.py::test_what_is_no_published_format_is_refused_with_a_reason"),
    ),
    Break(
        "a pickle may use any opcode",
        "observe/opcodes.py",
        '        elif opcode != "PROTO":',
        "        elif False:",
        (PICKLES,),
    ),
    Break(
        "torch unpickles a model in the worker",
        "observe/weights.py",
        'held = torch.load(path, map_location="cpu", weights_only=True)',
        'held = torch.load(path, map_location="cpu", weights_only=False)',
        ("test_trained.py",),
    ),
    Break(
        "torch isn't asked",
        "publishing.py",
        "if why := weights.objection(str(path), offer.required, offer.python):",
        'if why := "":',
        ("test_publish.py::test_torch_has_the_last_word",),
    ),
    Break(
        "checksums in a model file are not compared",
        "observe/trained.py",
        "                _compare(archive, each)\n",
        "                pass\n",
        ("test_trained.py::test_a_flipped_bit_in_a_tensor_is_refused",),
    ),
    Break(
        "something may follow a model file",
        "observe/trained.py",
        "            if not _ends_with_directory(file):",
        "            if False:",
        ("test_trained.py::test_what_was_appended_to_a_model_is_refused",),
    ),
    Break(
        "two members of a model file may have one name",
        "observe/trained.py",
        "if len({*names}) < len(names) or not plain or not members_fit(archive):",
        "if not plain or not members_fit(archive):",
        ("test_trained.py::test_a_zip_that_two_readers_could_read_in_two_ways_is_refused",),
    ),
    Break(
        "members of a model file may overlap",
        "observe/trained.py",
        "if len({*names}) < len(names) or not plain or not members_fit(archive):",
        "if len({*names}) < len(names) or not plain:",
        ("test_trained.py::test_a_member_inside_another_one_is_refused",),
    ),
    Break(
        "a model may be TorchScript, a program",
        "observe/trained.py",
        'if any(name.partition("/")[2].startswith(("constants.pkl", "code/")) for name in names):',
        "if False:",
        ("test_trained.py",),
    ),
    Break(
        "a huge pickle is read",
        "observe/trained.py",
        "if pickles[0].file_size > _DIRECTORY_LIMIT:",
        "if False:",
        ("test_trained.py::test_a_bomb_is_refused_before_it_goes_off",),
    ),
    Break(
        "a model's file may be a symlink or a pipe",
        "regular.py",
        "flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC",
        "flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC",
        ("test_trained.py::test_what_is_no_regular_file_is_refused",),
    ),
    Break(
        "an archive's member may lead up",
        "apply/archive/manifest.py",
        'if not path or "\\0" in path or any(name in ("", ".", "..") for name in names):',
        "if not path:",
        (HOSTILE,),
    ),
    Break(
        "an archive's member may lie outside its unit",
        "apply/archive/manifest.py",
        "        if not inside and not beside:".removeprefix("    "),
        "    if False:",
        (HOSTILE,),
    ),
    Break(
        "a hard link in an archive may lead outside its unit",
        "apply/archive/manifest.py",
        'if member.type == LINK and not f"{member.target}/".startswith(f"{unit}/"):',
        "if False:",
        (HOSTILE,),
    ),
    Break(
        "unpacking follows symlinks",
        "apply/archive/extract.py",
        "_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC",
        "_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC",
        (HOSTILE,),
    ),
    Break(
        "unpacking writes over what is there",
        "apply/archive/extract.py",
        "_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC",
        "_NEW = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC",
        (HOSTILE, "test_archive_damage.py"),
    ),
    Break(
        "anybody gets a set-user-id bit from an archive",
        "apply/archive/extract.py",
        "            mode &= ~_SPECIAL\n",
        "            pass\n",
        ("test_archive_damage.py::test_nobody_gets_a_set_user_id_bit_but_who_owns_the_place",),
    ),
    Break(
        "a study's name is a path",
        "core/study_names.py",
        'plain = _OTHER.sub("_", name).lstrip(".-")[:LONGEST]',
        "plain = name",
        ("core/test_study_names.py",),
    ),
    Break(
        "a milestone's name may be anything",
        "core/milestone.py",
        'if odd := next((each for each in name if not (each.isalnum() or each in _PLAIN)), ""):',
        'if odd := "":',
        ("test_promote.py::test_names_that_can_not_be_are_refused",),
    ),
)
