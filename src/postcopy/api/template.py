"""What `postcopy new` writes: a change that can be checked as it stands, and is wrong."""

TEMPLATE = '''"""The source sends only what is asked for.

A change is a subclass of the protocol. What you do not mention stays as it is in the document.
Check it with `postcopy check THIS_FILE.py`. How to write one: docs/language.md and docs/tutorial.md.
"""

from postcopy.language import Page, View, always, require, sometimes
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source


# A property of your own. `postcopy check` asks it beside those of the catalogue (`postcopy list properties`).
# It answers with a truth value, or with the pages that offend. A counterexample ends with its docstring.
@always("The stream ends only when nothing is dirty")
def ends_clean(state: View) -> bool:
    """The source has ended the stream, and has pages left to send."""
    return bool(state.source.phase != Phase.ENDING or state.source.dirty.empty)


# A witness: something that has to be reachable. Without one, a change that never does anything would hold.
@sometimes("A request waits at the source")
def request_waits(state: View) -> bool:
    """A page has been requested and not yet sent."""
    return not state.source.requests.empty


class MyChange(Postcopy):
    """Nothing is sent in the background."""

    properties = (ends_clean, request_waits)
    # A property that makes no sense for the change, with the reason:
    # inapplicable = {"requested-first": "..."}

    class source(Source):
        """The class has the name of the machine that it replaces: source, destination, wire or guest."""

        # Remove an action:
        sends_background_page = None

        # Change an action: a method of the same name. `postcopy list actions` shows all of them.
        def serves_request(self, page: Page) -> None:
            """serves a requested page, or drops the request where the page has already been sent"""
            require(self.phase == Phase.POSTCOPY)  # a guard: where it is false the action cannot be taken
            super().serves_request(page)

        # Add an action: one atomic step of one thread (import `action` from postcopy.language).
        # @action(Source.migration)
        # def does_something(self, page: Page) -> None:
        #     """says in traces what it does"""
        #     require(self.dirty[page])
        #     ...

'''
