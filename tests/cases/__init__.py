"""Small inputs with the troubles that users report, what to do with each, and the right outcome.

``python -m tests.cases`` runs all of them and prints a table: input, outcome, PSNR before and after, what was kept.
``python -m tests.cases WORD ...`` runs those whose name or kind contains one of the words. ``make test`` runs a bounded
part of them in `test_cases.py`.

One module holds one kind of trouble: its words in ``KIND`` and its cases in ``CASES``, a list of `frame.Case`. A new
module is found by itself. The cases that came with the reports, in the folder ``cases`` beside the folder of test
images, are run by `reported.py` where that folder is present.
"""
