"""The id that items get whose provider gives them none; it never goes back to the Responses API."""

FAKE_RESPONSES_ID = "__fake_id__"
