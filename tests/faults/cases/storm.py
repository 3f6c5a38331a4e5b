def case(short):
    raise NotImplementedError
at_once=spread=gigabyte=bomb=sigterm=kill=case
