"""Draw the blend's report for the README: ``python benchmarks/report_picture.py --data data/demo docs/report.svg``."""

from __future__ import annotations

import argparse
import io
import re
import tempfile
from pathlib import Path

from rich.console import Console

from ensemble.blending import open_source
from ensemble.evaluation import BlendWishes, score_blend
from ensemble.report.terminal import print_report
from ensemble.runs import BlendPaths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("picture", type=Path)
    args = parser.parse_args()
    source, _ = open_source(args.runs, [], data=args.data)
    with tempfile.TemporaryDirectory() as folder:
        card = score_blend(source, BlendWishes(seed=0), paths=BlendPaths(Path(folder)))
    console = Console(record=True, width=88, highlight=False, force_terminal=True, file=io.StringIO())
    print_report(card.result, console, card.curves)
    picture = console.export_svg(title="python -m ensemble.blend")
    # Rich names web fonts; the picture must need no network.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    args.picture.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
