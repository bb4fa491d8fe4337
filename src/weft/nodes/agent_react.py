"""An agent whose model writes down what it thinks, does and sees: reasoning and acting in turns."""

from __future__ import annotations

import json

from weft.nodes.agent_run import AgentRun
from weft.nodes.agent_step import Act, Step, StepSink
from weft.providers import Message
from weft.variables import Value

_STOP = "Observation:"

_FORM = """\
You solve the task of the user step by step, and you may use tools. The tools, one JSON object each, with the
parameters that they take:

{tools}

Write each step in exactly this form and then stop:

Thought: what you think about the task and about what you have seen so far
Action: {{"action": "name of one of: {names}", "action_input": {{the parameters of that tool}}}}

You are then told what came of it, after the word "Observation:". Never write an observation yourself.
When you know the answer, or when no tool helps, write this and nothing after it:

Thought: why you know the answer
Final Answer: the answer, in the language of the user"""
_NO_TOOLS = """\
You solve the task of the user step by step. Write in exactly this form:

Thought: what you think about the task
Final Answer: the answer, in the language of the user"""
_LAST = "You may use no more tools. Write your Final Answer now, from what you have seen."


async def reason_and_act(run: AgentRun) -> None:
    """Let the model use tools as often as it may, then answer.

    Only the final answer is streamed. When the model has used tools as often as it may, it is asked once
    more and may use none.

    Raises:
        ProviderError: The service failed.
    """
    messages = await run.prompt(_system(run))
    for number in range(1, run.task.max_iterations + 2):
        last = number > run.task.max_iterations
        round_line = run.log.start(f"ROUND {number}")
        thought_line = run.log.start(f"{run.model_name} Thought", round_line, run.task.model.provider)
        sink = StepSink(run.say)
        asked = messages
        if last:
            asked = [*messages[:-1], Message("user", f"{messages[-1].text}\n\n{_LAST}")]
        reply = await run.ask(asked, sink, stop=[_STOP])
        step = sink.step
        run.log.finish(thought_line, _described(step), reply.usage)
        if last or not isinstance(step.end, Act):
            if isinstance(step.end, Act):
                run.say(step.thought or reply.text)
            run.log.finish(round_line, _described(step), reply.usage)
            return
        act = step.end
        seen = await run.use(act.tool, act.arguments, round_line)
        messages += [Message("assistant", step.written), Message("user", f"{_STOP} {seen}")]
        run.log.finish(round_line, {**_described(step), "observation": seen}, reply.usage)


def _system(run: AgentRun) -> str:
    described = [tool.described() for tool in run.tools]
    if not described:
        form = _NO_TOOLS
    else:
        tools = "\n".join(
            json.dumps(
                {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
                ensure_ascii=False,
            )
            for tool in described
        )
        form = _FORM.format(tools=tools, names=", ".join(tool.name for tool in described))
    instruction = run.task.instruction.strip()
    return f"{instruction}\n\n{form}" if instruction else form


def _described(step: Step) -> dict[str, Value]:
    described: dict[str, Value] = {"thought": step.thought}
    if isinstance(step.end, Act):
        described["action_name"] = step.end.tool
        described["action_input"] = step.end.arguments
    else:
        described["final_answer"] = step.end
    return described
