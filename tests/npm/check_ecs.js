// Checks documents (one a line of standard input) against Elastic's own list of ECS fields; prints what is wrong, as JSON.
// Custom fields are those below `jwtleak` and `log.offset`.
'use strict';

const { EcsFlat, EcsVersion } = require(`${process.argv[2]}/node_modules/@elastic/ecs`);

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isDate = (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value));
const TYPES = {
  keyword: (v) => typeof v === 'string' && [...v].length <= 1024,
  constant_keyword: (v) => typeof v === 'string',
  wildcard: (v) => typeof v === 'string',
  text: (v) => typeof v === 'string',
  match_only_text: (v) => typeof v === 'string',
  long: Number.isInteger,
  float: (v) => typeof v === 'number',
  date: isDate,
  boolean: (v) => typeof v === 'boolean',
  ip: (v) => typeof v === 'string' && /^[0-9a-fA-F.:]+$/.test(v),
};

function checkField(path, value, problems) {
  const field = EcsFlat[path];
  if (path === 'log.offset') return;
  if (!field) return problems.push(`${path}: no such field`);
  if (field.normalize.includes('array') !== Array.isArray(value)) return problems.push(`${path}: list or not`);
  const check = TYPES[field.type];
  for (const one of [value].flat()) {
    if (!check || !check(one)) problems.push(`${path}: not a ${field.type}`);
    if (field.allowed_values && !field.allowed_values.some((allowed) => allowed.name === one)) {
      problems.push(`${path}: ${one} is not allowed`);
    }
  }
  return problems;
}

function walk(tree, prefix, problems) {
  for (const [name, value] of Object.entries(tree)) {
    const path = prefix ? `${prefix}.${name}` : name;
    if (name.includes('.')) problems.push(`${path}: a dotted name`);
    if (isObject(value)) {
      if (path !== 'jwtleak') walk(value, path, problems);
    } else {
      checkField(path, value, problems);
    }
  }
}

function check(document) {
  const problems = [];
  walk(document, '', problems);
  for (const field of Object.values(EcsFlat).filter((one) => one.required)) {
    if (field.flat_name.split('.').reduce((at, name) => at && at[name], document) === undefined) {
      problems.push(`${field.flat_name}: missing`);
    }
  }
  if ((document.ecs || {}).version !== EcsVersion) problems.push(`ecs.version: not ${EcsVersion}`);
  const types = new Set((document.event || {}).type);
  for (const category of (document.event || {}).category || []) {
    const known = EcsFlat['event.category'].allowed_values.find((one) => one.name === category);
    for (const type of types) {
      if (known && !known.expected_event_types.includes(type)) problems.push(`event.type: ${type} is not for ${category}`);
    }
  }
  return problems;
}

const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter(Boolean);
process.stdout.write(JSON.stringify(lines.map((line) => check(JSON.parse(line)))));
