"""Scores, MLPerf Tiny anchors, training memory, catalogue formulas, survey tables, facts files."""

import csv

import pytest

from edgedl_lib.nets.zoo import model
from edgedl_lib.offloading.platform import catalogue_check, scoring, survey_tables, tiny_anchor, training_memory
from edgedl_lib.offloading.platform.facts import COLUMNS, facts
from edgedl_lib.system.catalogue import DATA, UnknownName

FACTS = ("tpu_v1", "sparse_accelerators", "mlperf_tiny", "edge_accelerators", "cmsis_nn", "table2_facts", "phone_socs")


@pytest.mark.parametrize("name", FACTS)
def test_every_figure_has_a_source_and_an_evidence_word(name):
    with open(DATA / f"{name}.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    for row in rows:
        assert row["source"] and row["unit"] and row["evidence"] in ("survey", "paper", "memory"), row
        assert facts(name, row["subject"])[row["quantity"]] == float(row["value"])


def test_means_agree_on_equal_speedups_and_the_geometric_is_never_larger():
    assert scoring.arithmetic_score([3, 3]) == pytest.approx(scoring.geometric_score([3, 3]))
    assert scoring.geometric_score([1, 9, 2]) < scoring.arithmetic_score([1, 9, 2])
    assert scoring.arithmetic_score([2, 8], weights=[3, 1]) == pytest.approx(3.5)


def test_geometric_ranking_does_not_depend_on_the_reference():
    first, second, reference = [2.0, 8.0], [5.0, 3.0], [4.0, 0.5]
    before = scoring.geometric_score(first) > scoring.geometric_score(second)
    scaled = [[a / r for a, r in zip(values, reference, strict=True)] for values in (first, second)]
    assert before == (scoring.geometric_score(scaled[0]) > scoring.geometric_score(scaled[1]))


def test_no_reversal_between_devices_of_the_same_shape():
    assert scoring.rank_reversals({"slow": [1, 1], "fast": [2, 2]}) == 0


@pytest.mark.parametrize("speedups", [[], [1.0, 0.0], [-1.0]])
def test_scores_refuse_what_is_no_speedup(speedups):
    with pytest.raises(ValueError, match="positive"):
        scoring.arithmetic_score(speedups)


def test_profile_has_the_published_lead_and_loses_it_without_the_accelerator():
    profile = scoring.accelerated_profile()
    assert profile.lead == pytest.approx(scoring.published_lead())
    assert profile.lead_without_accelerator < 1.5 < profile.lead


def test_a_lone_chip_wins_every_test():
    assert scoring.largest_winning_share(("Helio P60",)) == 1.0


@pytest.mark.parametrize(
    ("task", "macs"), [("kws", 2_656_768), ("vww", 7_489_664), ("ic", 12_501_632), ("ad", 264_192)]
)
def test_reference_models_have_the_published_macs(task, macs):
    assert tiny_anchor.task_macs(task) == macs


def test_energy_of_the_microcontroller_is_power_times_time():
    for row in tiny_anchor.tiny_study().values():
        assert row.predicted_energy == pytest.approx(row.energy, rel=0.03)
        assert 0.10 <= row.macs_per_cycle <= 0.22
    with pytest.raises(KeyError, match="chess"):
        tiny_anchor.task_macs("chess")


def test_training_memory_grows_by_the_batch_and_the_slots():
    graph = training_memory.mentee()
    one, two = (training_memory.training_bytes(graph, batch) for batch in (1, 2))
    assert two - one == training_memory.activation_bytes(graph)
    adam = training_memory.training_bytes(graph, 1, optimiser_slots=2)
    assert adam - one == graph.parameter_bytes
    assert training_memory.state_bytes(model("vgg16").parameter_count) == 12 * 138_357_544


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: training_memory.activation_bytes(training_memory.mentee(), 0), "batch"),
        (lambda: training_memory.state_bytes(-1), "zero or more"),
        (lambda: training_memory.speedup_of_cut(100), "100"),
    ],
)
def test_training_memory_refuses_nonsense(call, word):
    with pytest.raises(ValueError, match=word):
        call()


def test_formulas_of_the_catalogue_are_found_and_hold():
    cells = catalogue_check.derived_cells()
    assert {"Jetson Nano", "Jetson TX1", "Xeon D-2191", "Helio P60"} <= {cell.device for cell in cells}
    assert len(cells) >= 24
    assert max(cell.deviation for cell in cells) <= 0.02


def test_formula_parser_on_known_texts():
    assert catalogue_check.peak_formula("fp32 = 4 cores*1.2 GHz*8 flop; more") == (
        "peak_gflops_fp32",
        pytest.approx(38.4),
    )
    assert catalogue_check.peak_formula("int8 = 2*280 GMAC/s of the APU") == ("peak_gops_int8", pytest.approx(560))
    assert catalogue_check.peak_formula("vendor page, 22 TOPS") is None
    assert catalogue_check.bandwidth_formula("4 channels * DDR4-2666 * 8 B") == pytest.approx(85.312)
    assert catalogue_check.bandwidth_formula("about 8 GB/s") is None
    with pytest.raises(ValueError, match="no formula"):
        catalogue_check.derived_peak("Ascend 310")


def test_survey_table_3_rows_and_queries():
    assert [len(survey_tables.libraries_with(name)) for name in survey_tables.FEATURES] == [12, 9, 7, 11, 2, 1, 7, 7, 8]
    assert survey_tables.libraries_with("training", "mobile_gpu") == {"CoreML"}
    expected = {"TensorFlow", "DL4J", "MXNet", "(Py)Torch", "FANN"}
    assert survey_tables.libraries_with("training", "arm") == expected
    assert survey_tables.libraries_with(*survey_tables.FEATURES) == frozenset()
    counts = {name: len(marked) for name, marked in survey_tables.library_matrix().items()}
    assert [counts[name] for name in ("MXNet", "(Py)Torch", "TensorFlow Lite", "MNN")] == [7, 6, 5, 6]
    with pytest.raises(UnknownName, match="quantum"):
        survey_tables.libraries_with("quantum")


def test_disputed_entries_are_what_the_survey_prints():
    matrix = survey_tables.library_matrix()
    for library, feature, remark in survey_tables.DISPUTED:
        assert (feature in matrix[library]) == ("says yes" in remark)


def test_survey_table_4_counts_shared_cells_for_both():
    assert len(survey_tables.preferences()) == 10
    assert [survey_tables.rows_preferring(name) for name in ("FPGA", "GPU", "CPU")] == [7, 3, 3]
