"""A model that answers from a list, and keeps what it was asked."""

from langchain_core.language_models import GenericFakeChatModel


class Listening(GenericFakeChatModel):
    """`heard` holds, for each call, the contents of the messages."""

    heard: list = []  # noqa: RUF012  # a field of pydantic's

    def bind_tools(self, tools, **options):
        return self

    def _generate(self, messages, *arguments, **options):
        self.heard.append([message.content for message in messages])
        return super()._generate(messages, *arguments, **options)
