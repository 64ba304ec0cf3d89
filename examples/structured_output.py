"""An answer that is a typed value.    python examples/structured_output.py"""

import os

from pydantic import BaseModel

from outlast import Agent, Runner

MODEL = None if os.environ.get("OPENAI_API_KEY") else "offline"


class Meeting(BaseModel):
    title: str
    date: str
    people: list[str]


agent = Agent(
    name="Secretary",
    instructions="Read the meeting out of the message.",
    output_type=Meeting,
    model=MODEL,
)

if __name__ == "__main__":
    message = 'Put "Budget" on 2027-03-01 with Ada and Grace.'
    meeting = Runner.run_sync(agent, message).final_output_as(Meeting)
    print(f"{meeting.title} on {meeting.date}: {', '.join(meeting.people)}")
