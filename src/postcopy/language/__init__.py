"""What protocols and properties are written in: a user's file needs no import but this one.

    from postcopy.language import Flag, Machine, Protocol, Thread, action, require

A protocol is a class that names its machines and channels; an action is one atomic step of one thread; a change is a
subclass that overrides actions, adds some, or removes one by assigning None. `docs/language.md` is the manual. The
modules in here interpret what is written with these names; they know nothing of postcopy, exploration or proofs.
"""

from postcopy.language.actions import action, require
from postcopy.language.beside import asked_beside
from postcopy.language.channel_ends import Network, Receives, Sends
from postcopy.language.channels import Channel
from postcopy.language.choices import Choice
from postcopy.language.chosen import Chosen, Option
from postcopy.language.fields import EITHER, Bitmap, Count, CpuBitmap, Flag
from postcopy.language.locks import Lock
from postcopy.language.machines import Ghost, Machine, Monitor
from postcopy.language.maps import Maps
from postcopy.language.messages import about, about_part
from postcopy.language.properties import (
    NO_DEADLOCK,
    Answer,
    LeadsTo,
    Property,
    always,
    conjunct,
    eventually,
    every_step,
    sometimes,
)
from postcopy.language.protocol import Protocol
from postcopy.language.semaphores import Semaphore
from postcopy.language.threads import Thread
from postcopy.language.values import ALL, NONE, Cpu, Page, PageSet
from postcopy.language.view import Step, View
from postcopy.language.worlds import Beside

__all__ = [
    "ALL",
    "EITHER",
    "NONE",
    "NO_DEADLOCK",
    "Answer",
    "Beside",
    "Bitmap",
    "Channel",
    "Choice",
    "Chosen",
    "Count",
    "Cpu",
    "CpuBitmap",
    "Flag",
    "Ghost",
    "LeadsTo",
    "Lock",
    "Machine",
    "Maps",
    "Monitor",
    "Network",
    "Option",
    "Page",
    "PageSet",
    "Property",
    "Protocol",
    "Receives",
    "Semaphore",
    "Sends",
    "Step",
    "Thread",
    "View",
    "about",
    "about_part",
    "action",
    "always",
    "asked_beside",
    "conjunct",
    "eventually",
    "every_step",
    "require",
    "sometimes",
]
