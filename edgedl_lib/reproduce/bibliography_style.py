"""A pybtex style that prints ``[12] Kang et al. 2017. Title. Authors, venue.`` with the survey's own numbers."""

from __future__ import annotations

from collections.abc import Iterator

from pybtex.database import Entry
from pybtex.richtext import HRef, Tag, Text
from pybtex.style.formatting import BaseStyle, toplevel
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting import BaseSortingStyle
from pybtex.style.template import Node


class PrintedLabels(BaseLabelStyle):
    """Labels as the field ``label`` gives them: the survey's number, or a name and a year."""

    def format_labels(self, sorted_entries: list[Entry]) -> Iterator[str]:
        """Yield one label for each entry, in order."""
        for entry in sorted_entries:
            yield entry.fields["label"]


class SurveyOrder(BaseSortingStyle):
    """The survey's numbers first and in order, then the other papers by their label."""

    def sorting_key(self, entry: Entry) -> tuple[int, int, str]:
        """Return what an entry is sorted by."""
        label = entry.fields["label"]
        return (0, int(label), "") if label.isdigit() else (1, 0, label)


class SurveyStyle(BaseStyle):
    """One template for every entry, since the survey prints a venue as one phrase."""

    default_sorting_style = SurveyOrder
    default_label_style = PrintedLabels

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.format_labels = PrintedLabels().format_labels
        self.sort = SurveyOrder().sort

    def get_misc_template(self, entry: Entry) -> Node:
        """Return the template of an entry; every entry is of type misc."""
        return toplevel[Node("survey entry", _printed)]


def _printed(children: object, context: dict) -> Text:
    entry: Entry = context["entry"]
    fields = entry.fields
    authors = ", ".join(str(person) for person in _plain_names(entry))
    parts = [Tag("strong", Text.from_latex(fields["short"])), ". "]
    parts += [Text.from_latex(fields["title"]), ". "] if entry.persons else []
    parts += [authors, ". "] if authors else []
    parts += [Text.from_latex(fields["howpublished"]), ". "] if "howpublished" in fields else []
    parts += [HRef(fields["url"], Text(fields["url"]))] if "url" in fields else []
    return Text(*parts)


def _plain_names(entry: Entry) -> list[Text]:
    people = entry.persons.get("author", [])
    names = [Text.from_latex(" ".join(_name_parts(person))) for person in people]
    return [Text("et al.") if str(name) == "others" else name for name in names]


def _name_parts(person: object) -> list[str]:
    return [*person.first_names, *person.middle_names, *person.prelast_names, *person.last_names, *person.lineage_names]
