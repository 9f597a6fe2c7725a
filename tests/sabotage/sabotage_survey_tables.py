"""Wrong counts of the survey's Tables III and IV."""

from edgedl_lib.offloading.platform import survey_tables
from edgedl_lib.offloading.platform.survey_tables import FEATURES
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.catalogue import DATA, read_rows


@sabotage(*(f"table3.{feature}" for feature in FEATURES), "table3.total_yes")
def any_filled_cell():
    """The word "no" is not empty, so its truth value counts it as a yes."""
    rows = read_rows(DATA / "survey" / "table_3_libraries.csv", ("library", *FEATURES))
    counts = {f"table3.{name}": sum(bool(row[name]) for row in rows) for name in FEATURES}
    return counts | {"table3.total_yes": sum(counts.values())}


@sabotage("table3.libraries")
def header_counted():
    """Lines of the file, header included."""
    return len(survey_tables.library_matrix()) + 1


@sabotage("table3.mobile_train", "table3.arm_train")
def any_instead_of_all():
    """Libraries with one of the features instead of all of them."""

    def either(*features):
        return len(frozenset().union(*(survey_tables.libraries_with(name) for name in features)))

    return {"table3.mobile_train": either("android", "ios", "training"), "table3.arm_train": either("arm", "training")}


@sabotage("table3.most_features")
def most_libraries_of_a_feature():
    """Down the columns instead of along the rows."""
    return max(len(survey_tables.libraries_with(name)) for name in FEATURES)


@sabotage("table4.rows", "table4.fpga_rows", "table4.gpu_rows", "table4.cpu_rows")
def whole_cells_only():
    """Comparing the whole cell misses the shared ones such as CPU/FPGA, and dropping them loses rows."""
    rows = read_rows(DATA / "survey" / "table_4_edge_node_solutions.csv", ("metric", "preferred_hardware"))
    cells = [row["preferred_hardware"] for row in rows]
    counts = {f"table4.{name.lower()}_rows": cells.count(name) for name in ("FPGA", "GPU", "CPU")}
    return counts | {"table4.rows": sum("/" not in cell for cell in cells)}
