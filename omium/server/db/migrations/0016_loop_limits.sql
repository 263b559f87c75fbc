-- Loops that may go round more often than their spec says, because a person has resumed an execution with it: a JSON
-- object of numbers by the loop's header, behind the maps around it (`orders/draft`). NULL where nobody has.
ALTER TABLE engine_runs ADD COLUMN loop_limits {bytes};
