#@output String answer
from deepd3_names import OUTCOME
from java.lang import System

System.clearProperty(OUTCOME)
answer = "forgotten"
