"""Exporting spans, and instrumentation by its name: what the agents beside this file have in common."""

from importlib import import_module

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

INSTRUMENTORS = {
    "openinference-langchain": "openinference.instrumentation.langchain:LangChainInstrumentor",
    "openinference-openai": "openinference.instrumentation.openai:OpenAIInstrumentor",
    "openinference-openai-agents": "openinference.instrumentation.openai_agents:OpenAIAgentsInstrumentor",
    "traceloop-openai": "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
    "official-openai": "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
    "official-openai-agents": "opentelemetry.instrumentation.genai.openai_agents:OpenAIAgentsInstrumentor",
}


def export_spans(names):
    """Return what sends every span to where the environment says, with the instrumentors of these names."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(compression=Compression.Gzip)))
    trace.set_tracer_provider(provider)
    for name in names:
        module, _, instrumentor = INSTRUMENTORS[name].partition(":")
        getattr(import_module(module), instrumentor)().instrument()
    return provider
