"""An agent as a function of Vercel or Netlify, which want a class of this name."""

from agent import desk

from outlast.server.simple import simple_handler

handler = simple_handler(desk)
