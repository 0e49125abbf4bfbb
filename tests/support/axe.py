"""What axe-core has against a page: the rules of WCAG 2.2 AA and the field's good practice.

assert faults(page) == []

Contrast is not among them: axe needs a second for a hundred words, and tests/support/pages.py computes it at once.
"""

from axe_playwright_python.sync_playwright import Axe

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"color-contrast": {"enabled": False}},
}


def faults(page, leave_out=()):
    """Return what is wrong, one sentence for each element; `leave_out` are selectors of what is not looked at."""
    context = {"exclude": [[selector] for selector in leave_out]} if leave_out else None
    found = Axe().run(page, context=context, options=RULES).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]}"
        for rule in found
        for node in rule["nodes"]
    ]
