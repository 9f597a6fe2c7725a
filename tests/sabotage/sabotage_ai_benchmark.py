"""Wrong scores for phones."""

from edgedl_lib.offloading.platform import scoring
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage("ai_benchmark.tests")
def accelerated_tests_only():
    """Counting the tests that NNAPI accelerates."""
    return sum(test.accelerated for test in scoring.benchmark_tests())


@sabotage("ai_benchmark.p20pro_lead", "ai_benchmark.lead_without_accelerator")
def other_rival_and_all_tests():
    """Lead over the last of the list; accelerated tests left in."""
    scores = sorted(scoring.phone_scores().values())
    return {
        "ai_benchmark.p20pro_lead": scores[-1] / scores[0],
        "ai_benchmark.lead_without_accelerator": scoring.accelerated_profile().lead,
    }


@sabotage("ai_benchmark.no_winner")
def one_number_a_chip():
    """Rating a chip by its largest figure: then one wins every test."""
    return scoring.largest_winning_share(scoring.PHONE_CHIPS[1:])


@sabotage("ai_benchmark.rank_reversal")
def one_mean_twice():
    """Two arithmetic means always agree."""
    scores = [scoring.arithmetic_score(values) for values in scoring.CONSTRUCTED.values()]
    return int((scores[0] - scores[1]) * (scores[0] - scores[1]) < 0)
