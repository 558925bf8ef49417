"""The changes of the tutorial: a source that sends only what is asked for, and one that does so for a time."""

from postcopy.language import Flag, Page, View, action, always, require, sometimes
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source


@always("The stream ends only when nothing is dirty")
def ends_clean(state: View) -> bool:
    """The source has ended the stream, and has pages left to send."""
    return bool(state.source.phase != Phase.ENDING or state.source.dirty.empty)


@sometimes("A request is served while the source is still lazy")
def lazy_and_asked(state: View) -> bool:
    """A page is requested before the timer runs out."""
    return not state.source.eager and not state.source.requests.empty


class Lazy(Postcopy):
    """Nothing is sent in the background."""

    properties = (ends_clean,)

    class source(Source):
        """Sends what is asked for."""

        sends_background_page = None  # type: ignore[assignment]


class Patient(Postcopy):
    """Nothing is sent in the background until a timer runs out."""

    properties = (ends_clean, lazy_and_asked)

    class source(Source):
        """Is lazy first, and eager then."""

        eager = Flag("the timer has run out")

        @action(Source.migration)
        def timer_runs_out(self) -> None:
            """has waited long enough"""
            require(self.phase == Phase.POSTCOPY)
            require(not self.eager)
            self.eager = True

        def sends_background_page(self, page: Page) -> None:
            """sends a page that nobody has asked for, once the timer has run out"""
            require(self.eager)
            super().sends_background_page(page)

        def ends_postcopy(self) -> None:
            """ends the stream, and forgets the timer"""
            super().ends_postcopy()
            self.eager = False
