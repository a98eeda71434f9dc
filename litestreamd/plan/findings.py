"""Placeholder until the real one lands."""
# mypy: ignore-errors
# ruff: noqa
from dataclasses import dataclass
from enum import Enum
from litestreamd.ltx.names import ObjectName
FAN_IN = 128
@dataclass(frozen=True)
class Merge:
    level:int; sources:tuple
    @property
    def name(self): return ObjectName(self.level,self.sources[0].name.min_txid,self.sources[-1].name.max_txid)
def runs(objects, rules, level):
    top=max((o.name.max_txid for o in objects if o.name.level==level), default=0)
    src=sorted((o for o in objects if o.name.level==level-1 and o.name.min_txid>top), key=lambda o:o.name)
    iv=rules.levels_s[level-1]*1000
    cur=[]
    for o in src:
        if cur and (o.name.min_txid!=cur[-1].name.max_txid+1 or o.created_ms//iv!=cur[-1].created_ms//iv or len(cur)>=128):
            yield cur; cur=[]
        cur.append(o)
    if cur: yield cur
def due_merges(objects, rules, now):
    out=[]
    for level in range(1,len(rules.levels_s)+1):
        iv=rules.levels_s[level-1]*1000
        for r in runs(objects,rules,level):
            if (r[-1].created_ms//iv+1)*iv<=now: out.append(Merge(level,tuple(r)))
        if out: return out
    return out
def next_merge_ms(objects, rules, now):
    t=[]
    for level in range(1,len(rules.levels_s)+1):
        iv=rules.levels_s[level-1]*1000
        for r in runs(objects,rules,level): t.append(int((r[-1].created_ms//iv+1)*iv))
    return min(t,default=None)
def closing_merges(objects, rules): return [Merge(1,tuple(r)) for r in runs(objects,rules,1)]
def snap_next(objects, rules, now):
    snaps=[o for o in objects if o.name.level==9]
    head=max((o.name.max_txid for o in objects),default=0)
    iv=rules.snapshot_interval_s*1000
    if not snaps: return now
    s=max(snaps,key=lambda o:o.name)
    if s.name.max_txid>=head: return None
    return int((s.created_ms//iv+1)*iv)
def expired(objects, rules, now):
    if not rules.enabled: return ()
    l1=max((o.name.max_txid for o in objects if o.name.level==1),default=0)
    l0=sorted((o for o in objects if o.name.level==0),key=lambda o:o.name)
    return tuple(o for o in l0[:-1] if o.name.max_txid<=l1 and o.created_ms<now-rules.l0_retention_s*1000)
def next_exp(objects, rules, now):
    l1=max((o.name.max_txid for o in objects if o.name.level==1),default=0)
    l0=sorted((o for o in objects if o.name.level==0),key=lambda o:o.name)
    t=[int(o.created_ms+rules.l0_retention_s*1000+1) for o in l0[:-1] if o.name.max_txid<=l1]
    return min(t,default=None) if rules.enabled else None
class Kind(Enum): HOLE=1; OVERLAP=2; DUPLICATE=3; UNREACHABLE=4
@dataclass
class P: txid:int; created_ms:int

findings = lambda o: []
