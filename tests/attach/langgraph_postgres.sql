-- What langgraph-checkpoint-postgres 3.2.0 wrote for three threads of one graph of LangGraph 1.2.22, as pg_dump says it:
-- a -> (b, c) -> d, where b returns in thread "good", raises ValueError("boom key=1") in "bad", interrupts in "ask".
CREATE TABLE checkpoint_blobs (
    thread_id text NOT NULL,
    checkpoint_ns text DEFAULT ''::text NOT NULL,
    channel text NOT NULL,
    version text NOT NULL,
    type text NOT NULL,
    blob bytea
);
CREATE TABLE checkpoint_migrations (
    v integer NOT NULL
);
CREATE TABLE checkpoint_writes (
    thread_id text NOT NULL,
    checkpoint_ns text DEFAULT ''::text NOT NULL,
    checkpoint_id text NOT NULL,
    task_id text NOT NULL,
    idx integer NOT NULL,
    channel text NOT NULL,
    type text,
    blob bytea NOT NULL,
    task_path text DEFAULT ''::text NOT NULL
);
CREATE TABLE checkpoints (
    thread_id text NOT NULL,
    checkpoint_ns text DEFAULT ''::text NOT NULL,
    checkpoint_id text NOT NULL,
    parent_checkpoint_id text,
    type text,
    checkpoint jsonb NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL
);
INSERT INTO checkpoint_blobs VALUES ('good', '', '__start__', '00000000000000000000000000000001.0.03577058211988737', 'msgpack', '\x82a16e90a16ba4676f6f64');
INSERT INTO checkpoint_blobs VALUES ('good', '', 'n', '00000000000000000000000000000002.0.5538775239227693', 'msgpack', '\x90');
INSERT INTO checkpoint_blobs VALUES ('good', '', 'n', '00000000000000000000000000000003.0.9078978108531217', 'msgpack', '\x91a161');
INSERT INTO checkpoint_blobs VALUES ('good', '', 'n', '00000000000000000000000000000004.0.5927056631543164', 'msgpack', '\x93a161a162a163');
INSERT INTO checkpoint_blobs VALUES ('good', '', 'join:b+c:d', '00000000000000000000000000000004.0.5927056631543164', 'msgpack', '\xc7130093a86275696c74696e73a373657492a163a162');
INSERT INTO checkpoint_blobs VALUES ('good', '', 'n', '00000000000000000000000000000005.0.4384451440129281', 'msgpack', '\x94a161a162a163a164');
INSERT INTO checkpoint_blobs VALUES ('good', '', 'join:b+c:d', '00000000000000000000000000000005.0.4384451440129281', 'msgpack', '\xc70f0093a86275696c74696e73a373657490');
INSERT INTO checkpoint_blobs VALUES ('bad', '', '__start__', '00000000000000000000000000000001.0.8399477710651696', 'msgpack', '\x82a16e90a16ba3626164');
INSERT INTO checkpoint_blobs VALUES ('bad', '', 'n', '00000000000000000000000000000002.0.8964214810886382', 'msgpack', '\x90');
INSERT INTO checkpoint_blobs VALUES ('bad', '', 'n', '00000000000000000000000000000003.0.43973626168244206', 'msgpack', '\x91a161');
INSERT INTO checkpoint_blobs VALUES ('ask', '', '__start__', '00000000000000000000000000000001.0.7266803104610763', 'msgpack', '\x82a16e90a16ba361736b');
INSERT INTO checkpoint_blobs VALUES ('ask', '', 'n', '00000000000000000000000000000002.0.9471419322280289', 'msgpack', '\x90');
INSERT INTO checkpoint_blobs VALUES ('ask', '', 'n', '00000000000000000000000000000003.0.5062280136737993', 'msgpack', '\x91a161');
INSERT INTO checkpoint_migrations VALUES (0);
INSERT INTO checkpoint_migrations VALUES (1);
INSERT INTO checkpoint_migrations VALUES (2);
INSERT INTO checkpoint_migrations VALUES (3);
INSERT INTO checkpoint_migrations VALUES (4);
INSERT INTO checkpoint_migrations VALUES (5);
INSERT INTO checkpoint_migrations VALUES (6);
INSERT INTO checkpoint_migrations VALUES (7);
INSERT INTO checkpoint_migrations VALUES (8);
INSERT INTO checkpoint_migrations VALUES (9);
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83b8-6685-bfff-7e55b0d54204', '538a5fea-cdc0-c93d-f7a8-169d7247ea45', 0, 'n', 'msgpack', '\x90', '~__pregel_pull, __start__');
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83b8-6685-bfff-7e55b0d54204', '538a5fea-cdc0-c93d-f7a8-169d7247ea45', 1, 'k', 'msgpack', '\xa4676f6f64', '~__pregel_pull, __start__');
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83b8-6685-bfff-7e55b0d54204', '538a5fea-cdc0-c93d-f7a8-169d7247ea45', 2, 'branch:to:a', 'null', '\x', '~__pregel_pull, __start__');
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83ce-6e70-8000-f83f40d4552e', '38236564-21cb-b8b0-1087-0287f8c7c71a', 0, 'n', 'msgpack', '\x91a161', '~__pregel_pull, a');
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83ce-6e70-8000-f83f40d4552e', '38236564-21cb-b8b0-1087-0287f8c7c71a', 1, 'branch:to:b', 'null', '\x', '~__pregel_pull, a');
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83ce-6e70-8000-f83f40d4552e', '38236564-21cb-b8b0-1087-0287f8c7c71a', 2, 'branch:to:c', 'null', '\x', '~__pregel_pull, a');
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83d2-6f32-8001-eaa4b1b3191d', '9caf1c17-c844-de71-aa93-44e4d5aeba15', 0, 'n', 'msgpack', '\x91a162', '~__pregel_pull, b');
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83d2-6f32-8001-eaa4b1b3191d', '9caf1c17-c844-de71-aa93-44e4d5aeba15', 1, 'join:b+c:d', 'msgpack', '\xa162', '~__pregel_pull, b');
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83d2-6f32-8001-eaa4b1b3191d', 'a8682078-aeda-b56e-6ec7-1f49bf07b02e', 0, 'n', 'msgpack', '\x91a163', '~__pregel_pull, c');
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83d2-6f32-8001-eaa4b1b3191d', 'a8682078-aeda-b56e-6ec7-1f49bf07b02e', 1, 'join:b+c:d', 'msgpack', '\xa163', '~__pregel_pull, c');
INSERT INTO checkpoint_writes VALUES ('good', '', '1f1e7104-83d9-61c9-8002-8359f3ab4c83', 'a3779187-89b9-33a1-65a7-f184b6ee7441', 0, 'n', 'msgpack', '\x91a164', '~__pregel_pull, d');
INSERT INTO checkpoint_writes VALUES ('bad', '', '1f1e7104-83e7-6b34-8000-e6f59bbfa6d9', '54c77ef4-1e9d-b49b-b274-43a41611aa8e', 0, 'n', 'msgpack', '\x91a161', '~__pregel_pull, a');
INSERT INTO checkpoint_writes VALUES ('bad', '', '1f1e7104-83e7-6b34-8000-e6f59bbfa6d9', '54c77ef4-1e9d-b49b-b274-43a41611aa8e', 1, 'branch:to:b', 'null', '\x', '~__pregel_pull, a');
INSERT INTO checkpoint_writes VALUES ('bad', '', '1f1e7104-83e7-6b34-8000-e6f59bbfa6d9', '54c77ef4-1e9d-b49b-b274-43a41611aa8e', 2, 'branch:to:c', 'null', '\x', '~__pregel_pull, a');
INSERT INTO checkpoint_writes VALUES ('bad', '', '1f1e7104-83e3-615e-bfff-a6fe08dede9b', 'a3d08344-f424-58de-f598-e6ab8dd6b2cb', 0, 'n', 'msgpack', '\x90', '~__pregel_pull, __start__');
INSERT INTO checkpoint_writes VALUES ('bad', '', '1f1e7104-83e3-615e-bfff-a6fe08dede9b', 'a3d08344-f424-58de-f598-e6ab8dd6b2cb', 1, 'k', 'msgpack', '\xa3626164', '~__pregel_pull, __start__');
INSERT INTO checkpoint_writes VALUES ('bad', '', '1f1e7104-83e3-615e-bfff-a6fe08dede9b', 'a3d08344-f424-58de-f598-e6ab8dd6b2cb', 2, 'branch:to:a', 'null', '\x', '~__pregel_pull, __start__');
INSERT INTO checkpoint_writes VALUES ('bad', '', '1f1e7104-83ea-666b-8001-4c737e6e7069', 'c6bf4f04-d0d9-788d-4924-e815bc5e104b', -1, '__error__', 'msgpack', '\xb856616c75654572726f722827626f6f6d206b65793d312729', '~__pregel_pull, b');
INSERT INTO checkpoint_writes VALUES ('bad', '', '1f1e7104-83ea-666b-8001-4c737e6e7069', '852abe21-3113-e257-8ee7-dcebfedb7c3f', 0, 'n', 'msgpack', '\x91a163', '~__pregel_pull, c');
INSERT INTO checkpoint_writes VALUES ('bad', '', '1f1e7104-83ea-666b-8001-4c737e6e7069', '852abe21-3113-e257-8ee7-dcebfedb7c3f', 1, 'join:b+c:d', 'msgpack', '\xa163', '~__pregel_pull, c');
INSERT INTO checkpoint_writes VALUES ('ask', '', '1f1e7104-83f9-6a04-bfff-f899861003ab', '5eaedad6-12c7-9310-3add-15d600acae86', 0, 'n', 'msgpack', '\x90', '~__pregel_pull, __start__');
INSERT INTO checkpoint_writes VALUES ('ask', '', '1f1e7104-83f9-6a04-bfff-f899861003ab', '5eaedad6-12c7-9310-3add-15d600acae86', 1, 'k', 'msgpack', '\xa361736b', '~__pregel_pull, __start__');
INSERT INTO checkpoint_writes VALUES ('ask', '', '1f1e7104-83f9-6a04-bfff-f899861003ab', '5eaedad6-12c7-9310-3add-15d600acae86', 2, 'branch:to:a', 'null', '\x', '~__pregel_pull, __start__');
INSERT INTO checkpoint_writes VALUES ('ask', '', '1f1e7104-8405-6e97-8000-1124aea53a7c', '3ed69323-51ca-d072-52d0-c41d1b6aed9f', 0, 'n', 'msgpack', '\x91a161', '~__pregel_pull, a');
INSERT INTO checkpoint_writes VALUES ('ask', '', '1f1e7104-8405-6e97-8000-1124aea53a7c', '3ed69323-51ca-d072-52d0-c41d1b6aed9f', 1, 'branch:to:b', 'null', '\x', '~__pregel_pull, a');
INSERT INTO checkpoint_writes VALUES ('ask', '', '1f1e7104-8405-6e97-8000-1124aea53a7c', '3ed69323-51ca-d072-52d0-c41d1b6aed9f', 2, 'branch:to:c', 'null', '\x', '~__pregel_pull, a');
INSERT INTO checkpoint_writes VALUES ('ask', '', '1f1e7104-8408-6a8c-8001-3c377682cce5', '67a21eee-f4af-a24d-8050-3e2e36647594', 0, 'n', 'msgpack', '\x91a163', '~__pregel_pull, c');
INSERT INTO checkpoint_writes VALUES ('ask', '', '1f1e7104-8408-6a8c-8001-3c377682cce5', '67a21eee-f4af-a24d-8050-3e2e36647594', 1, 'join:b+c:d', 'msgpack', '\xa163', '~__pregel_pull, c');
INSERT INTO checkpoint_writes VALUES ('ask', '', '1f1e7104-8408-6a8c-8001-3c377682cce5', '2ef706bf-c73e-a99f-a4e4-34106e123329', -3, '__interrupt__', 'msgpack', '\x91c75d0293af6c616e6767726170682e7479706573a9496e7465727275707483a576616c7565a47768793fa26964d9203666623864613134633931393034643437313532316430353636633939626365af726573706f6e73655f736368656d61c0', '~__pregel_pull, b');
INSERT INTO checkpoints VALUES ('good', '', '1f1e7104-83b8-6685-bfff-7e55b0d54204', NULL, NULL, '{"v": 4, "id": "1f1e7104-83b8-6685-bfff-7e55b0d54204", "ts": "2026-11-23T07:34:14.254952+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.03577058211988737"}, "updated_channels": ["__start__"]}', '{"step": -1, "source": "input", "parents": {}}');
INSERT INTO checkpoints VALUES ('good', '', '1f1e7104-83ce-6e70-8000-f83f40d4552e', '1f1e7104-83b8-6685-bfff-7e55b0d54204', NULL, '{"v": 4, "id": "1f1e7104-83ce-6e70-8000-f83f40d4552e", "ts": "2026-11-23T07:34:14.264150+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.03577058211988737"}}, "channel_values": {"k": "good", "branch:to:a": null}, "channel_versions": {"k": "00000000000000000000000000000002.0.5538775239227693", "n": "00000000000000000000000000000002.0.5538775239227693", "__start__": "00000000000000000000000000000002.0.5538775239227693", "branch:to:a": "00000000000000000000000000000002.0.5538775239227693"}, "updated_channels": ["branch:to:a", "k", "n"]}', '{"step": 0, "source": "loop", "parents": {}}');
INSERT INTO checkpoints VALUES ('good', '', '1f1e7104-83d2-6f32-8001-eaa4b1b3191d', '1f1e7104-83ce-6e70-8000-f83f40d4552e', NULL, '{"v": 4, "id": "1f1e7104-83d2-6f32-8001-eaa4b1b3191d", "ts": "2026-11-23T07:34:14.265819+00:00", "versions_seen": {"a": {"branch:to:a": "00000000000000000000000000000002.0.5538775239227693"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.03577058211988737"}}, "channel_values": {"k": "good", "branch:to:b": null, "branch:to:c": null}, "channel_versions": {"k": "00000000000000000000000000000002.0.5538775239227693", "n": "00000000000000000000000000000003.0.9078978108531217", "__start__": "00000000000000000000000000000002.0.5538775239227693", "branch:to:a": "00000000000000000000000000000003.0.9078978108531217", "branch:to:b": "00000000000000000000000000000003.0.9078978108531217", "branch:to:c": "00000000000000000000000000000003.0.9078978108531217"}, "updated_channels": ["branch:to:b", "branch:to:c", "n"]}', '{"step": 1, "source": "loop", "parents": {}}');
INSERT INTO checkpoints VALUES ('good', '', '1f1e7104-83d9-61c9-8002-8359f3ab4c83', '1f1e7104-83d2-6f32-8001-eaa4b1b3191d', NULL, '{"v": 4, "id": "1f1e7104-83d9-61c9-8002-8359f3ab4c83", "ts": "2026-11-23T07:34:14.268344+00:00", "versions_seen": {"a": {"branch:to:a": "00000000000000000000000000000002.0.5538775239227693"}, "b": {"branch:to:b": "00000000000000000000000000000003.0.9078978108531217"}, "c": {"branch:to:c": "00000000000000000000000000000003.0.9078978108531217"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.03577058211988737"}}, "channel_values": {"k": "good"}, "channel_versions": {"k": "00000000000000000000000000000002.0.5538775239227693", "n": "00000000000000000000000000000004.0.5927056631543164", "__start__": "00000000000000000000000000000002.0.5538775239227693", "join:b+c:d": "00000000000000000000000000000004.0.5927056631543164", "branch:to:a": "00000000000000000000000000000003.0.9078978108531217", "branch:to:b": "00000000000000000000000000000004.0.5927056631543164", "branch:to:c": "00000000000000000000000000000004.0.5927056631543164"}, "updated_channels": ["join:b+c:d", "n"]}', '{"step": 2, "source": "loop", "parents": {}}');
INSERT INTO checkpoints VALUES ('good', '', '1f1e7104-83da-6348-8003-5bffa8f99cf9', '1f1e7104-83d9-61c9-8002-8359f3ab4c83', NULL, '{"v": 4, "id": "1f1e7104-83da-6348-8003-5bffa8f99cf9", "ts": "2026-11-23T07:34:14.268798+00:00", "versions_seen": {"a": {"branch:to:a": "00000000000000000000000000000002.0.5538775239227693"}, "b": {"branch:to:b": "00000000000000000000000000000003.0.9078978108531217"}, "c": {"branch:to:c": "00000000000000000000000000000003.0.9078978108531217"}, "d": {"join:b+c:d": "00000000000000000000000000000004.0.5927056631543164"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.03577058211988737"}}, "channel_values": {"k": "good"}, "channel_versions": {"k": "00000000000000000000000000000002.0.5538775239227693", "n": "00000000000000000000000000000005.0.4384451440129281", "__start__": "00000000000000000000000000000002.0.5538775239227693", "join:b+c:d": "00000000000000000000000000000005.0.4384451440129281", "branch:to:a": "00000000000000000000000000000003.0.9078978108531217", "branch:to:b": "00000000000000000000000000000004.0.5927056631543164", "branch:to:c": "00000000000000000000000000000004.0.5927056631543164"}, "updated_channels": ["n"]}', '{"step": 3, "source": "loop", "parents": {}}');
INSERT INTO checkpoints VALUES ('bad', '', '1f1e7104-83e3-615e-bfff-a6fe08dede9b', NULL, NULL, '{"v": 4, "id": "1f1e7104-83e3-615e-bfff-a6fe08dede9b", "ts": "2026-11-23T07:34:14.272433+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.8399477710651696"}, "updated_channels": ["__start__"]}', '{"step": -1, "source": "input", "parents": {}}');
INSERT INTO checkpoints VALUES ('bad', '', '1f1e7104-83e7-6b34-8000-e6f59bbfa6d9', '1f1e7104-83e3-615e-bfff-a6fe08dede9b', NULL, '{"v": 4, "id": "1f1e7104-83e7-6b34-8000-e6f59bbfa6d9", "ts": "2026-11-23T07:34:14.274320+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.8399477710651696"}}, "channel_values": {"k": "bad", "branch:to:a": null}, "channel_versions": {"k": "00000000000000000000000000000002.0.8964214810886382", "n": "00000000000000000000000000000002.0.8964214810886382", "__start__": "00000000000000000000000000000002.0.8964214810886382", "branch:to:a": "00000000000000000000000000000002.0.8964214810886382"}, "updated_channels": ["branch:to:a", "k", "n"]}', '{"step": 0, "source": "loop", "parents": {}}');
INSERT INTO checkpoints VALUES ('bad', '', '1f1e7104-83ea-666b-8001-4c737e6e7069', '1f1e7104-83e7-6b34-8000-e6f59bbfa6d9', NULL, '{"v": 4, "id": "1f1e7104-83ea-666b-8001-4c737e6e7069", "ts": "2026-11-23T07:34:14.275428+00:00", "versions_seen": {"a": {"branch:to:a": "00000000000000000000000000000002.0.8964214810886382"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.8399477710651696"}}, "channel_values": {"k": "bad", "branch:to:b": null, "branch:to:c": null}, "channel_versions": {"k": "00000000000000000000000000000002.0.8964214810886382", "n": "00000000000000000000000000000003.0.43973626168244206", "__start__": "00000000000000000000000000000002.0.8964214810886382", "branch:to:a": "00000000000000000000000000000003.0.43973626168244206", "branch:to:b": "00000000000000000000000000000003.0.43973626168244206", "branch:to:c": "00000000000000000000000000000003.0.43973626168244206"}, "updated_channels": ["branch:to:b", "branch:to:c", "n"]}', '{"step": 1, "source": "loop", "parents": {}}');
INSERT INTO checkpoints VALUES ('ask', '', '1f1e7104-83f9-6a04-bfff-f899861003ab', NULL, NULL, '{"v": 4, "id": "1f1e7104-83f9-6a04-bfff-f899861003ab", "ts": "2026-11-23T07:34:14.281668+00:00", "versions_seen": {"__input__": {}}, "channel_values": {}, "channel_versions": {"__start__": "00000000000000000000000000000001.0.7266803104610763"}, "updated_channels": ["__start__"]}', '{"step": -1, "source": "input", "parents": {}}');
INSERT INTO checkpoints VALUES ('ask', '', '1f1e7104-8405-6e97-8000-1124aea53a7c', '1f1e7104-83f9-6a04-bfff-f899861003ab', NULL, '{"v": 4, "id": "1f1e7104-8405-6e97-8000-1124aea53a7c", "ts": "2026-11-23T07:34:14.286693+00:00", "versions_seen": {"__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.7266803104610763"}}, "channel_values": {"k": "ask", "branch:to:a": null}, "channel_versions": {"k": "00000000000000000000000000000002.0.9471419322280289", "n": "00000000000000000000000000000002.0.9471419322280289", "__start__": "00000000000000000000000000000002.0.9471419322280289", "branch:to:a": "00000000000000000000000000000002.0.9471419322280289"}, "updated_channels": ["branch:to:a", "k", "n"]}', '{"step": 0, "source": "loop", "parents": {}}');
INSERT INTO checkpoints VALUES ('ask', '', '1f1e7104-8408-6a8c-8001-3c377682cce5', '1f1e7104-8405-6e97-8000-1124aea53a7c', NULL, '{"v": 4, "id": "1f1e7104-8408-6a8c-8001-3c377682cce5", "ts": "2026-11-23T07:34:14.287820+00:00", "versions_seen": {"a": {"branch:to:a": "00000000000000000000000000000002.0.9471419322280289"}, "__input__": {}, "__start__": {"__start__": "00000000000000000000000000000001.0.7266803104610763"}}, "channel_values": {"k": "ask", "branch:to:b": null, "branch:to:c": null}, "channel_versions": {"k": "00000000000000000000000000000002.0.9471419322280289", "n": "00000000000000000000000000000003.0.5062280136737993", "__start__": "00000000000000000000000000000002.0.9471419322280289", "branch:to:a": "00000000000000000000000000000003.0.5062280136737993", "branch:to:b": "00000000000000000000000000000003.0.5062280136737993", "branch:to:c": "00000000000000000000000000000003.0.5062280136737993"}, "updated_channels": ["branch:to:b", "branch:to:c", "n"]}', '{"step": 1, "source": "loop", "parents": {}}');
ALTER TABLE ONLY checkpoint_blobs
    ADD CONSTRAINT checkpoint_blobs_pkey PRIMARY KEY (thread_id, checkpoint_ns, channel, version);
ALTER TABLE ONLY checkpoint_migrations
    ADD CONSTRAINT checkpoint_migrations_pkey PRIMARY KEY (v);
ALTER TABLE ONLY checkpoint_writes
    ADD CONSTRAINT checkpoint_writes_pkey PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx);
ALTER TABLE ONLY checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id);
