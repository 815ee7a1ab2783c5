"""The words of the prose: first words of docstrings, and phrases that readers stumble over."""

from __future__ import annotations

import re


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The first words of functions' docstrings. Each one was read: add a verb in its base form.
VERBS = words(
    """
    Abandon Accept Acknowledge Add Admit Advance Affect Align Allow Alter Announce Answer Append
    Apply Arrange Ask Assemble Assert Assign Attach Average Await Begin Bind Block Bring Build Call
    Cancel Cap Change Check Choose Clear Clip Close Collect Combine Commit Compare Complete Compute
    Configure Confirm Connect Continue Convert Copy Count Create Cut Decide Decode Define Deliver
    Derive Describe Detect Disable Discard Disconnect Distinguish Do Draw Drop Emit Encode End Enter
    Escape Estimate Evaluate Exit Expand Explain Export Express Extend Extract Fail Fill Find Finish
    Flush Forget Format Forward Free Generate Get Give Group Guard Hand Handle Hold Ignore Import
    Indent Inject Insert Inspect Install Interpolate Interpret Interrupt Invert Iterate Join Judge
    Keep Label Launch Leave Limit Link List Listen Load Locate Log Look Make Map Mark Mask Match
    Measure Merge Mix Move Name Note Notify Number Observe Obtain Offer Open Override Overwrite Pack
    Parse Pass Patch Pause Pick Place Plan Plot Poll Post Predict Prepare Print Process Produce
    Provide Publish Put Queue Quote Raise Ramp Rank Read Rebuild Receive Reconnect Record Reduce
    Refuse Register Reject Release Reload Remember Remove Rename Render Repeat Replace Reply Report
    Request Require Reset Resolve Restart Restore Resume Retry Return Reverse Rewrite Roll Rotate
    Round Run Sample Save Scale Scan Schedule Search Select Send Separate Serve Set Settle Show Shut
    Sign Signal Simulate Skip Sleep Solve Sort Split Spread Start State Step Stop Store Stream
    Subscribe Sum Summarise Suppress Swap Switch Take Test Throw Tick Track Translate Treat Trim
    Truncate Try Turn Undo Unpack Unsubscribe Update Use Validate Verify Visit Wait Wake Walk Warn
    Watch Work Wrap Write Yield
    """
)

# Verbs that are also nouns, so that an attribute's docstring may begin with them.
ALSO_NOUNS = words(
    """
    Average Block Bring Call Change Check Copy Count Cut Draw Drop End Exit Export Format Free
    Guard Handle Hold Label Limit Link List Load Log Look Map Mark Match Measure Mix Move Name Note
    Number Offer Patch Pause Place Plan Plot Poll Post Process Quote Ramp Rank Record Release
    Report Request Reset Return Reverse Roll Round Run Sample Scale Scan Schedule Search Set Show
    Sign Signal Sleep Sort Split Spread Start State Step Stop Store Stream Sum Switch Test Tick
    Track Turn Update Use Wait Walk Watch Work Wrap Yield
    """
)

# Third-person forms that a class's docstring must not begin with, beside those of VERBS.
NOT_A_NOUN = {f"{verb}s" for verb in VERBS - ALSO_NOUNS} | words(
    """
    Appends Brings Counts Does Draws Gives Goes Has Holds Integrates Is Keeps Knows Looks Makes
    Means Moves Reads Returns Runs Says Sends Sets Shows Starts Stops Takes Tells Turns Waits Writes
    """
)

NOT_FIRST = words(
    """
    What Who Whom Whose Which Whether Where When Whenever Wherever How Why That Those If As Because
    Of By To Until Unless So It They Nobody Somebody Ready
    """
)

BANNED = re.compile(
    r"""
    \b(?:
        heard | told | tells? | hears? | heed(?:s|ed)? | says | bring(?:s)?\ forth | last\ words
      | ears? | takes?\ leave | trying\ on | taken\ out | takes?\ out | comes?\ along
      | beyond\ all\ measure | strikes? | struck | wish(?:es|ed)? | bears? | tremble[sd]?
      | whom | whoever | whatever | nobody | somebody | anew | of\ which | thereof | therein
      | whence | thence | is\ to\ be | are\ to\ be | stands?\ there | of\ its\ own\ accord
      | left\ behind | in\ silence | has\ left\ us | in\ want\ of | at\ ease
      | of\ (?:yours|ours|theirs) | goes\ on\ from | keep(?:s|ing)?\ going | come\ and\ go
      | what\ (?:it|they)\ (?:is|are)\ of | had\ they | as\ it\ has\ them
    )\b
    | (?<!there\ )\b(?:is|are|was|were)\ no\b(?!\ (?:longer|more))
    | (?:^|[.;:]\ )Who\b
    | \bof\ (?:its|their|your|one's)\ own(?=[.,;:)]|\ (?:and|as|for|from|in|on|that|with|without)\b)
    | \bNone:\ there\ (?:is|are)\ none\b
    | \bthe\ (?:darker|higher|more|earlier),\ the\b
    | (?:^|[.;:]\ )The\ most\ (?:[a-z]+s)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
