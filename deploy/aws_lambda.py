"""The agents as an AWS Lambda function. Needs mangum, and a journal on a file system that outlives it.

Nothing runs once a function has answered. So each request begins the app and ends it: what runs gets the
grace to end. What has not ended by then is put down, and goes on at a later request, or with
`outlast worker agent.py --once` on a timer.
"""

from agent import app
from mangum import Mangum

app.grace_s = 20.0  # Less than the function's own limit.
handler = Mangum(app, lifespan="auto")
