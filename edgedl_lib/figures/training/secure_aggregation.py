"""Figures of Secure Aggregation: images under masks, a late vector, bytes and work, traffic over the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from edgedl_lib.reproduce.style import COLORS

END_TEXT = "#8A5300"  # the end's colour, dark enough for small type


def plot_image(axes: Axes, values: np.ndarray, title: str, modulus: float | None = None) -> None:
    """A vector of 64 entries as an image; with a modulus, grey from 0 to it."""
    top = values.max() if modulus is None else modulus
    axes.imshow(values.reshape(8, 8), cmap="gray_r", vmin=0, vmax=top)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10)
    axes.grid(False)


def plot_messages(panels: np.ndarray, inputs: np.ndarray, masked: np.ndarray, total: np.ndarray, modulus: int) -> None:
    """Above what clients hold, below what the server receives; at the right the sums of both rows.

    Parameters
    ----------
    panels : numpy.ndarray of Axes, shape (2, n + 1)
    inputs, masked : numpy.ndarray, shape (n, 64)
    total : numpy.ndarray, shape (64,)
        What the protocol gives.
    """
    for column, (values, noise) in enumerate(zip(inputs, masked, strict=True)):
        plot_image(panels[0, column], values, f"client {column} holds")
        plot_image(panels[1, column], noise, "and sends", modulus)
    plot_image(panels[0, -1], inputs.sum(axis=0), "their sum")
    plot_image(panels[1, -1], total, "the server's sum")


def plot_expansion(axes: Axes, users: np.ndarray, curves: Mapping[str, np.ndarray], reported: Sequence[tuple]) -> None:
    """Traffic over the data in the clear.

    Parameters
    ----------
    curves : mapping
        Name of a vector's length to the expansion at each number of users.
    reported : sequence of (users, expansion)
    """
    for (name, values), colour in zip(curves.items(), ("cloud", "edge"), strict=True):
        axes.plot(users, values, color=COLORS[colour])
        axes.text(users[-1] * 1.15, values[-1], name, color=COLORS[colour], va="center", weight="bold")
    for count, value in reported:
        axes.plot(count, value, "o", ms=8, mfc="none", mec=COLORS["accent"], mew=2)
        axes.text(count, value + 0.18, f"{value:.2f}", color=COLORS["accent"], ha="center", weight="bold")
    axes.set(
        xscale="log", xlabel="users", ylabel="traffic over data (×)", ylim=(1, 4.2), xlim=(users[0], users[-1] * 9)
    )
    axes.set_xticks([2**4, 2**7, 2**10, 2**14], ["16", "128", "1,024", "16,384"])
    axes.minorticks_off()


def plot_bytes(axes: Axes, users: np.ndarray, counted: np.ndarray, formula: np.ndarray) -> None:
    """Counted bytes of a client over the number of users, above the formula."""
    axes.plot(users, counted / 1e3, "o-", color=COLORS["edge"])
    axes.plot(users, formula / 1e3, "--", color=COLORS["neutral"])
    axes.text(users[-1], counted[-1] / 1e3 * 1.06, "counted", color=COLORS["edge"], ha="right", weight="bold")
    axes.text(users[-1], 0.5 * formula[-1] / 1e3, "the paper's formula", color=COLORS["neutral"], ha="right", va="top")
    axes.set(xlabel="users", ylabel="a client's traffic (kB)", ylim=(0, 1.2 * counted.max() / 1e3))


def plot_work(axes: Axes, silent: Sequence[int], server: Sequence[int], client: Sequence[int], users: int) -> None:
    """Masks that server and client generate over the number of silent clients."""
    axes.plot(silent, server, "o-", color=COLORS["cloud"])
    axes.plot(silent, client, "o-", color=COLORS["end"])
    axes.text(silent[-1], server[-1] * 1.03, "server ", color=COLORS["cloud"], ha="right", va="bottom", weight="bold")
    axes.text(silent[-1], client[-1] * 1.25, "each client", color=END_TEXT, ha="right", va="bottom", weight="bold")
    axes.set(xlabel=f"silent of {users} clients", ylabel="masks generated", ylim=(0, 1.18 * max(server)))


def plot_late(
    panels: Sequence[Axes], image: np.ndarray, without: np.ndarray, with_mask: np.ndarray, modulus: int
) -> None:
    """A late vector: what was in it, and what the server reads without and with a self-mask."""
    plot_image(panels[0], image, "the client's image")
    plot_image(panels[1], without, "read without self-masks", image.max())
    plot_image(panels[2], with_mask, "read with self-masks", modulus)
