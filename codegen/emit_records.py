"""<api>-records.h: between the API's structures and ours, where every member has its counterpart."""

from cgen import note, wrap
from emit_wire import record_name


def header(spec):
    guard = spec.api.upper()
    out = [note(spec).rstrip(), f"""/*
 * Each record that needs no hand: R_take() fills ours from the API's structure, R_give() the API's from ours.  What a
 * record does not have (reserved members) is 0 afterwards.
 */
#ifndef PL_{guard}_RECORDS_H
#define PL_{guard}_RECORDS_H

#include <assert.h>
#include <string.h>

#include "{spec.api}-api.h"
#include "{spec.api}-wire.h"
"""]
    for record in spec.records.values():
        if not record.by_hand:
            out += both(spec, record)
    return "\n".join(out + ["#endif"]) + "\n"


def both(spec, record):
    name = record_name(spec, record.name)
    takes, gives, checks = [], [f"\t*to = ({record.c_type}){{ 0 }};"], []
    for member in record.members:
        if member.type == "raw":
            there = "" if member.path == "all" else f"->{member.path}"
            checks.append(f"static_assert(sizeof((({record.c_type} *)0)[0]{there.replace('->', '.')}) == {member.bytes}, "
                          f"\"{record.c_type} {member.path}\");")
            takes.append(f"\tmemcpy(to->{member.name}, {'&from' + there if there else 'from'}, {member.bytes});")
            gives.append(f"\tmemcpy({'&to' + there if there else 'to'}, from->{member.name}, {member.bytes});")
        else:
            takes.append(f"\tto->{member.name} = from->{member.path};")
            gives.append(f"\tto->{member.path} = from->{member.name};")
    return checks + [wrap(f"static inline void {name}_take", [f"struct {name} *to", f"const {record.c_type} *from"], ""), "{",
                     *takes, "}", "",
                     wrap(f"static inline void {name}_give", [f"{record.c_type} *to", f"const struct {name} *from"], ""), "{",
                     *gives, "}", ""]
