"""`fgsd report`: does feature guidance sample the conditional density, and better than labels do?"""
