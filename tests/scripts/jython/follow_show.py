#@ Context context
#@ String path
#@output String answer
"""Show followed spines as the service would tell them: an answer in a file."""

import json

from deepd3_follow import show_followed

show_followed(context, {}, json.load(open(path)))
answer = "shown"
