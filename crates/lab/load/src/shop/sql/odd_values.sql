-- Edge values of each type; ids are stable, so that tests can point at one.
INSERT INTO shop.odd_value (id) VALUES (1);
INSERT INTO shop.odd_value (id, an_integer, a_float, a_numeric, a_text) VALUES
    (2, 9223372036854775807, 'NaN', 'NaN', ''),
    (3, -9223372036854775808, 'Infinity', 0.00, ' '),
    (4, 0, '-Infinity', 0, E'tab\tline\nreturn\rback\\slash'),
    (5, 1, '-0', -0.0000000000000000000000000001, '\N'),
    (6, 2, 0.1, 12345678901234567890123456789012345678901234567890.123456789, '\.'),
    (7, 3, 1e-307, 1e100, E'\u00e9 is not e\u0301'),
    (8, 4, 1.7976931348623157e308, 1.10, E'\U0001F600 \u202e'),
    (9, 5, 4.9e-324, 1.1, 'NULL'),
    (10, 6, 3.14159265358979323, -1.5, E'\x01\x1f\x7f');
INSERT INTO shop.odd_value (id, a_json, a_jsonb) VALUES
    (11, '{"b": 1,  "a": 2, "a": 3}', '{"b": 1,  "a": 2, "a": 3}'),
    (12, 'null', 'null'),
    (13, '"\u00e9"', '"\u00e9"'),
    (14, '1.10', '1.10'),
    (15, '[]', '{"deep": [[[[]]], {"": ""}]}'),
    (16, '1e2', '1e2');
INSERT INTO shop.odd_value (id, a_date, a_time, a_time_with_zone, a_timestamp, an_instant, an_interval) VALUES
    (21, 'infinity', '24:00', '23:59:59.999999+15:59', 'infinity', 'infinity', '178000000 years'),
    (22, '-infinity', '00:00', '00:00-15:59', '-infinity', '-infinity', '-178000000 years'),
    (23, '4713-01-01 BC', '12:00:00.000001', '12:00+05:30', '4713-01-01 00:00 BC', '4713-12-01 00:00+00 BC', '1 mon -1 day'),
    (24, '5874897-12-31', '23:59:59', '12:00-00:30', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '-1 mon +24:00:00'),
    (25, '2000-02-29', '01:02:03', '01:02:03+00', '2024-03-31 02:30', '2024-03-31 01:30+00', '1 day'),
    (26, '0001-01-01', '03:04', '03:04:05+01', '1999-12-31 23:59:60', '1900-01-01 00:00+00', '24:00:00');
INSERT INTO shop.odd_value (id, some_bytes, some_bits, a_network, a_device, a_range, a_box, a_document, a_name, a_sum) VALUES
    (31, '', '', '10.0.0.0/8', '08:00:2b:01:02:03', 'empty', '(1,1),(0,0)', '', '', 0::money),
    (32, '\x00', '0', '::/0', 'ff:ff:ff:ff:ff:ff', '(,)', '(1e300,0),(0,-1e300)', '''it''''s'':1A fat:2,3', 'a"b', 1234567.89::numeric::money),
    (33, '\x5c000a0d27', '101010', '192.168.1.0/24', '00:00:00:00:00:00', '[1.10,2.0)', '(0,0),(0,0)', 'a:1', 'PUBLIC', '-0.01'::numeric::money),
    (34, decode(repeat('00ff', 3000), 'hex'), repeat('1', 40)::bit varying, '2001:db8::/32', NULL, '(,0]', NULL, NULL, 'sixty-three-characters-are-the-longest-name-that-fits-into-names', NULL);
INSERT INTO shop.odd_value (id, some_texts, some_numbers, some_status, some_sizes) VALUES
    (41, '{}', '{}', '{}', '{}'),
    (42, '{NULL,"NULL","",","," ","\"","\\"}', '{{1,NULL},{3,4}}', '{new,"it''s \"lost\""}', ARRAY[(1, NULL, 3)::shop.dimensions, NULL]),
    (43, '[0:1]={a,b}', '[2:3][-1:0]={{1,2},{3,4}}', ARRAY[NULL]::shop.order_status[], ARRAY[(NULL, NULL, NULL)::shop.dimensions]),
    (44, ARRAY[repeat('x', 10000)], array_fill(7, ARRAY[10, 10]), NULL, NULL);
