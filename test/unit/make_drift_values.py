"""Values that test_drift.c compares with.

Tails by mpmath with 40 digits and by exact fractions, statistics by brute force in numpy.
The rows are made by the same generator as in test_drift.c.  Prints; the numbers were copied.
"""
import numpy as np, mpmath as mp
from fractions import Fraction
from math import comb
mp.mp.dps=40
chi=lambda x,f: float(mp.gammainc(mp.mpf(float(f))/2, mp.mpf(float(x))/2, mp.inf, regularized=True))
two=lambda z: float(mp.erfc(abs(mp.mpf(float(z)))/mp.sqrt(2)))
for x,f in [(0.5,1),(3.84,1),(12.3,7.5),(250,200),(80.,3),(400.,200)]: print('chi',x,f,repr(chi(x,f)))
for z in [0.3,1.96,-5]: print('z',z,repr(two(z)))
def fisher(a,n1,b,n2):
    h=a+b; return float(sum(Fraction(comb(n1,i)*comb(n2,h-i),comb(n1+n2,h)) for i in range(max(0,h-n2),a+1)))
for t in [(10,20,38,40),(80,100,180,200),(0,20,3,20),(20,20,40,40),(17,20,100,100)]: print('fisher',t,repr(fisher(*t)))
def lcg(s):
    while True:
        s=(s*1103515245+12345)%2147483648
        yield s/2147483648
g=lcg(7)
K,D,M,N=4,3,200,100
ref=[];rec=[]
for i in range(M+N):
    lab=int(next(g)*K); conf=np.floor(next(g)*20)/20; v=[next(g)-0.5 for _ in range(D)]
    if i>=M: conf=conf*0.5; v[0]+=0.25; lab=lab//2
    (ref if i<M else rec).append((lab,conf,v))
f32=lambda a: np.array(a,np.float32).astype(float)
rc=f32([r[1] for r in ref]); nc=f32([r[1] for r in rec])
n,m=N,M
U=((nc[:,None]>rc[None,:])+.5*(nc[:,None]==rc[None,:])).sum()
a=np.concatenate([nc,rc]); _,t=np.unique(a,return_counts=True); T=(t**3-t).sum()
var=((n+m+1)-T/((n+m)*(n+m-1)))/(12*n*m)
print('conf p', repr(two(max(abs(U/(n*m)-.5)-.2,0)/np.sqrt(var))), nc.mean(), rc.mean(), 1.959963984540054*np.sqrt(nc.var(ddof=1)/n+rc.var(ddof=1)/m))
ct=np.zeros((2,K))
for r in rec: ct[0,r[0]]+=1
for r in ref: ct[1,r[0]]+=1
print(ct)
ex=ct.sum(0)*np.array([[n],[m]])/(n+m); ok=ex.sum(0)>0; print('expected',ex)
x=((ct-ex)**2/ex)[:,ok].sum(); root=max(np.sqrt(x)-.05*np.sqrt(n*m/(n+m)),0); print('class',x,'p',repr(chi(root**2,ok.sum()-1)))
R=f32([r[2] for r in ref]); Q=f32([r[2] for r in rec])
S=np.cov(R.T); ev=np.linalg.eigvalsh(S); tr=[float((ev**k).sum()) for k in (1,2,3)]; c=1/n+1/m
f=m-1; tr[1]=max(tr[1]-tr[0]**2/f, tr[0]**2/D); tr[2]=max(tr[2]-3*tr[0]*tr[1]/f-tr[0]**3/f**2, tr[1]**2/tr[0])
d=((Q.mean(0)-R.mean(0))**2).sum(); q=d/c
nu=tr[1]**3/tr[2]**2
print('feat', repr(d), tr[0]*c, tr, ev.max(), 'p', repr(chi(nu+(q-tr[0])*np.sqrt(nu/tr[1]),nu)))
