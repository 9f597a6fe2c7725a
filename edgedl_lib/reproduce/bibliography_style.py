"""A pybtex style that prints ``[12] Kang et al. 2017. Title. Authors, venue.`` with the survey's own numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pybtex.database import Entry, Person
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
    sentences = [Tag("strong", Text.from_latex(entry.fields["short"]))]
    if entry.persons:
        sentences += [Text.from_latex(entry.fields["title"]), Text.from_latex(_authors(entry))]
    if "howpublished" in entry.fields:
        sentences.append(Text.from_latex(re.sub("^in ", "In ", entry.fields["howpublished"])))
    if "url" in entry.fields:
        sentences.append(HRef(entry.fields["url"], Text(entry.fields["url"])))
    return Text(*[part for sentence in sentences for part in (sentence, _stop(sentence))][:-1])


def _stop(sentence: Text | Tag) -> str:
    return " " if str(sentence).endswith((".", "?", "!")) else ". "


def _authors(entry: Entry) -> str:
    names = [_name(person) for person in entry.persons["author"]]
    if names[-1] == "others":
        return f"{', '.join(names[:-1])} et al."
    return ", ".join(names)


def _name(person: Person) -> str:
    return " ".join(
        [*person.first_names, *person.middle_names, *person.prelast_names, *person.last_names, *person.lineage_names]
    )
