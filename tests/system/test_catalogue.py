"""The catalogues: formulas recomputed, unknown cells refused, every figure with its source."""

import math
import re
import subprocess
import sys

import pytest

from edgedl_lib.system import catalogue
from edgedl_lib.system.catalogue import SI_FACTORS
from edgedl_lib.system.catalogue_file import UnknownName, read_rows
from edgedl_lib.system.specification import MissingSpecification

FIGURES = [(name, column) for name in catalogue.device_names() for column in SI_FACTORS]
NUMBER = r"(\d+(?:\.\d+)?)"
BUS = re.compile(r"(\d+)-bit LPDDR\d-(\d+)")
CHANNELS = re.compile(r"(\d+) channels \* DDR4-(\d+) \* 8 B")


def product_in(source, label):
    """GFLOPS from text like `fp32 = 4 cores*1.2 GHz*8 flop`: the product of its numbers, MHz turned into GHz."""
    text = re.search(label + r" = ([^;(]*)", source).group(1)
    mega = "MHz" in text
    numbers = [float(number) for number in re.findall(NUMBER, text)]
    return math.prod(numbers) / (1000 if mega else 1)


def derived_value(column, source):
    if column == "power_w":  # of the microcontroller: energy an inference by inferences a second, keyword spotting
        return 7373.7e-6 * 5.497 if "energy x rate" in source else None
    if column == "peak_gflops_fp32":
        return product_in(source, "fp32")
    if column == "peak_gops_int8":
        return product_in(source, "int8?")
    if channels := CHANNELS.search(source):
        return int(channels[1]) * int(channels[2]) * 8 / 1000
    if bus := BUS.search(source):
        return int(bus[1]) / 8 * int(bus[2]) / 1000
    return None


def derived_cells():
    for name in catalogue.device_names():
        for column in SI_FACTORS:
            if catalogue._device_row(name)[column] and catalogue.cell_evidence(name, column) == "derived":
                yield pytest.param(catalogue.specification(name, column), id=f"{name}-{column}")


def test_many_cells_are_derived():
    assert len(list(derived_cells())) >= 20


@pytest.mark.parametrize("figure", list(derived_cells()))
def test_derived_cells_follow_from_their_formula(figure):
    assert figure.value == pytest.approx(derived_value(figure.column, figure.source), rel=0.02)


def test_every_row_is_sane_and_sourced():
    table = catalogue.device_table()
    assert table["name"].is_unique
    assert (table["source"].str.len() > 10).all() and (table["calibration"].str.len() > 10).all()
    assert set(table["evidence"]) <= {"seen", "derived", "mixed", "memory"}
    assert set(table["calibration_evidence"]) <= {"seen", "derived", "mixed", "memory", "estimate"}
    for column in SI_FACTORS:
        assert (table[column].dropna() > 0).all()
    assert table["year"].between(2005, 2024).all()


def test_wrong_readings_in_circulation_are_not_in_the_table():
    def value(name, column):
        return catalogue.specification(name, column).value

    assert value("Jetson Nano", "peak_gflops_fp32") == pytest.approx(236, rel=0.01)  # 472 is half precision
    assert value("Movidius NCS (Myriad 2)", "memory_gb") == 0.5  # 4 Gbit, not 4 GB
    assert value("Ascend 310", "peak_gops_int8") == 16000
    assert value("Helio P60", "peak_gops_int8") == 560  # 280 G multiply-adds


def test_tpu_peak_and_ridge():
    peak = catalogue.specification("TPU v1", "peak_gops_int8").value * 1e9
    bandwidth = catalogue.specification("TPU v1", "memory_bandwidth_gbs").value * 1e9
    assert 91e12 <= peak <= 92.5e12
    assert 1345 <= peak / 2 / bandwidth <= 1355  # multiply-adds per byte
    assert catalogue.device("TPU v1", precision="int8").peak_flop_per_s == peak


@pytest.mark.parametrize(("name", "column"), FIGURES)
def test_an_empty_cell_is_an_error_and_never_zero(name, column):
    if catalogue._device_row(name)[column]:
        assert catalogue.specification(name, column).value > 0
    else:
        with pytest.raises(MissingSpecification, match=re.escape(f"{name!r} has no {column}")):
            catalogue.specification(name, column)


def test_devices_with_unknown_peaks_cannot_be_placed_on_a_roofline():
    with pytest.raises(MissingSpecification, match="'Kirin 970' has no peak_gflops_fp32"):
        catalogue.device("Kirin 970")
    with pytest.raises(MissingSpecification, match="'Arria 10 GX1150' has no memory_bandwidth_gbs"):
        catalogue.device("Arria 10 GX1150")
    complete = catalogue.device_names(complete=True)
    assert {"Jetson TK1", "Odroid XU4", "GeForce GTX 1080 Ti", "Xeon E5-2620 v2"} <= set(complete)
    assert all(catalogue.device(name).latency(1e9, 1e6) > 0 for name in complete)


def test_recalled_cells_are_marked():
    table = catalogue.device_table().set_index("name")
    assert table.loc["Jetson TK1", "recalled"] == "power_w"
    assert table.loc["GeForce RTX 2080 Ti", "recalled"].startswith("peak_gflops_fp32")
    assert table.loc["Tesla T4", "recalled"] == ""
    assert catalogue.specification("Tesla K40m", "power_w").recalled
    assert catalogue.device("Odroid XU4").evidence == "memory"  # its bandwidth is


def test_calibrations_return_the_latencies_they_were_fitted_to():
    """AlexNet's convolutions (1.332 GFLOP) and dense layers (234.5 MB), at batch 1."""
    convolutions, dense = 1.332e9, 4 * 58_631_144
    for name, conv_ms, dense_ms in (("Odroid XU4", 434.64, 312.51), ("GeForce GTX 1080 Ti", 0.5259, 0.9152)):
        device = catalogue.device(name)
        assert (device.latency(convolutions, 0) - device.overhead) * 1e3 == pytest.approx(conv_ms, rel=0.005)
        assert (device.latency(0, dense) - device.overhead) * 1e3 == pytest.approx(dense_ms, rel=0.005)
    board = catalogue.device("Jetson TK1")
    assert board.latency(0, 4 * 37_752_832) == pytest.approx(0.45 * 0.081, rel=0.005)  # fc6


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="device 'jetson tk' is unknown: did you mean 'Jetson TK1'"):
        catalogue.device("jetson tk")
    with pytest.raises(UnknownName, match="device 'qqqqqq' is unknown: device_names"):
        catalogue.device("qqqqqq")
    with pytest.raises(UnknownName, match="did you mean 'host'"):
        catalogue.device("Hosts")
    with pytest.raises(UnknownName, match="link 'neurosurgeon-wlan' is unknown: did you mean 'neurosurgeon-"):
        catalogue.link("neurosurgeon-wlan")
    with pytest.raises(UnknownName, match="column 'peak' is no figure"):
        catalogue.specification("TPU v1", "peak")
    with pytest.raises(ValueError, match="precision 'fp64' is unknown"):
        catalogue.device("TPU v1", precision="fp64")


def test_links_of_the_papers():
    assert [catalogue.link(f"dads-{name}").rate / 1e6 for name in ("cat1", "3g", "4g", "wifi")] == [
        0.13,
        1.1,
        5.85,
        18.88,
    ]
    seconds = [catalogue.link(f"neurosurgeon-{name}").transfer_time(152_000) for name in ("wifi", "lte", "3g")]
    assert seconds == pytest.approx([0.095, 0.180, 0.870])
    assert catalogue.link("ionn-wifi").rate == 80 * 1024**2
    assert catalogue.link("neurosurgeon-lte").transfer_energy(152_000) == pytest.approx(4.25 * 0.18, rel=0.002)
    with pytest.raises(MissingSpecification, match="energy per bit"):
        catalogue.link("fast-ethernet").transfer_energy(1)
    assert len(catalogue.link_table()) == len(catalogue.link_names())


def test_catalogue_files_that_are_broken(tmp_path):
    file = tmp_path / "devices.csv"
    with pytest.raises(FileNotFoundError, match="run from a clone"):
        read_rows(file, ["name"])
    file.write_text("name,year\nboard,2014\n")
    with pytest.raises(ValueError, match="lacks the columns kind, source"):
        read_rows(file, ["name", "source", "kind"])
    for row in ("board\n", "board,2014,surplus\n"):
        file.write_text("name,year\n" + row)
        with pytest.raises(ValueError, match="row 2 of .* does not have 2 cells"):
            read_rows(file, ["name"])


def test_importing_the_package_loads_nothing_heavy():
    heavy = "('torch', 'pandas', 'simpy', 'scipy', 'matplotlib')"
    program = f"import sys, edgedl_lib.system; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
