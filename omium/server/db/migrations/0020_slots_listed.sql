-- Who has a slot of a concurrency key, by key: people look at these, whatever else an execution's nodes do.
CREATE INDEX activations_with_slot ON activations (tenant_id, environment, concurrency_key) WHERE has_slot = 1;
