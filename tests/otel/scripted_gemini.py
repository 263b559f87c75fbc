"""The scripted model, spoken to as Gemini is: `generateContent` instead of chat completions."""

import json

from tests.crewai.scripted_model import ScriptedModel


class ScriptedGemini(ScriptedModel):
    """Answers by the same markers in the prompts, and counts alike."""

    def answer(self, request):
        messages = [_read(content) for content in request["contents"]]
        made = super().answer({"model": "gemini-small", "messages": messages, "tools": request.get("tools")})
        message, usage = made["choices"][0]["message"], made["usage"]
        parts = [{"text": message["content"]}] if message["content"] else []
        for call in message.get("tool_calls", []):
            arguments = json.loads(call["function"]["arguments"])
            parts.append({"functionCall": {"name": call["function"]["name"], "args": arguments}})
        return {
            "candidates": [
                {"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": parts}}
            ],
            "usageMetadata": {
                "promptTokenCount": usage["prompt_tokens"],
                "candidatesTokenCount": usage["completion_tokens"],
                "totalTokenCount": usage["total_tokens"],
            },
            "modelVersion": "gemini-small",
            "responseId": made["id"],
        }


def _read(content):
    if any("functionResponse" in part for part in content["parts"]):
        return {"role": "tool", "content": ""}
    text = " ".join(part.get("text", "") for part in content["parts"])
    return {"role": "user" if content.get("role") == "user" else "assistant", "content": text}
